"""Draws in proportion to weights."""

from __future__ import annotations

import pytest
import torch
from torch import Generator

from workbench.training.draws import draw, draw_some
from workbench.types import Plan


def test_each_row_is_drawn_in_proportion_to_its_own_weights() -> None:
    rows, weights = 30_000, torch.tensor([[1.0, 0.0, 3.0, 4.0], [0.0, 0.5, 0.5, 0.0]])
    drawn = draw(weights[None].expand(rows, -1, -1), Generator().manual_seed(0))
    assert drawn.shape == (rows, 2)
    for row, own in enumerate(weights):
        for index, share in enumerate((own / own.sum()).tolist()):
            found = int((drawn[:, row] == index).sum())
            assert abs(found - rows * share) <= 5 * (rows * share * (1 - share)) ** 0.5


@pytest.mark.parametrize("tiny", [1e-45, 1e-30, 1.0, 1e38])
def test_what_has_no_weight_is_never_drawn(tiny: float) -> None:
    weights = torch.zeros(2000, 6)
    weights[:, 2] = tiny
    assert set(draw(weights, Generator().manual_seed(1)).tolist()) == {2}


def test_a_number_rounded_up_to_the_total_finds_the_last_weight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The largest double below 1 times the least number there is rounds to that number.
    monkeypatch.setattr(torch, "rand", lambda n, **_: torch.full((n,), 1 - 2**-53).double())
    weights = torch.tensor([[0.0, 5e-324, 0.0]], dtype=torch.float64)
    assert draw(weights, Generator()).tolist() == [1]


def test_where_nothing_is_to_be_drawn_the_move_is_a_plan_s_own() -> None:
    # Of a few numbers only, so that many are alike.
    g = Generator().manual_seed(3)
    policy, q, weights = (torch.randint(1, 4, (200, 2, 5), generator=g).float() for _ in range(3))
    plan = Plan(policy, value=q[..., 0], q=q, visits=policy, depth=q[..., 0])
    some = torch.rand(200, generator=g) < 0.5
    before = g.get_state()
    none = draw_some(weights, torch.zeros(200, dtype=torch.bool).numpy(), policy, q, g)
    assert torch.equal(none, plan.best())
    assert torch.equal(g.get_state(), before)
    mixed = draw_some(weights, some.numpy(), policy, q, g)
    assert torch.equal(mixed[~some], plan.best()[~some])
    assert torch.equal(mixed[some], draw(weights, g.set_state(before))[some])
    assert not torch.equal(mixed[some], plan.best()[some])
