"""Draws in proportion to weights."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from workbench.training.sampling import PREFETCH, ActionSampler, sample_categorical
from workbench.types import Plan


def test_each_row_is_sampled_in_proportion_to_its_weights() -> None:
    rows, weights = 30_000, torch.tensor([[1.0, 0.0, 3.0, 4.0], [0.0, 0.5, 0.5, 0.0]])
    drawn = sample_categorical(weights[None].expand(rows, -1, -1), Generator().manual_seed(0))
    assert drawn.shape == (rows, 2)
    for row, own in enumerate(weights):
        for index, share in enumerate((own / own.sum()).tolist()):
            found = int((drawn[:, row] == index).sum())
            assert abs(found - rows * share) <= 5 * (rows * share * (1 - share)) ** 0.5


@pytest.mark.parametrize("tiny", [1e-45, 1e-30, 1.0, 1e38])
def test_entries_of_weight_zero_are_never_sampled(tiny: float) -> None:
    weights = torch.zeros(2000, 6)
    weights[:, 2] = tiny
    assert set(sample_categorical(weights, Generator().manual_seed(1)).tolist()) == {2}


def test_draw_rounded_to_the_total_selects_the_last_weight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The largest double below 1 times the least number there is rounds to that number.
    monkeypatch.setattr(torch, "rand", lambda n, **_: torch.full((n,), 1 - 2**-53).double())
    weights = torch.tensor([[0.0, 5e-324, 0.0]], dtype=torch.float64)
    assert sample_categorical(weights, Generator()).tolist() == [1]


ROWS = 200
AGE = torch.arange(ROWS) % 6


def plan_and_weights() -> tuple[Plan, Tensor]:
    """Weights with few distinct numbers, so that many are equal; two actions per row."""
    g = Generator().manual_seed(3)
    policy, q, weights = (torch.randint(1, 4, (ROWS, 2, 5), generator=g).float() for _ in range(3))
    return Plan(policy, value=q[..., 0], q=q, visits=policy, depth=q[..., 0]), weights


def picked(picks: ActionSampler, until: int | None) -> Tensor:
    plan, weights = plan_and_weights()
    return picks(weights, plan.policy, plan.q, AGE, until)


def test_only_early_actions_of_an_episode_are_sampled() -> None:
    plan, weights = plan_and_weights()
    picks, g = ActionSampler(Generator().manual_seed(5)), Generator().manual_seed(5)
    assert torch.equal(picked(picks, 0), plan.best_action())
    # Of the stream's numbers none has been used up so far.
    mixed, drawn = picked(picks, 3), sample_categorical(weights, g)
    assert torch.equal(mixed[AGE >= 3], plan.best_action()[AGE >= 3])
    assert torch.equal(mixed[AGE < 3], drawn[AGE < 3])
    assert not torch.equal(drawn[AGE < 3], plan.best_action()[AGE < 3])
    assert torch.equal(picked(picks, None), sample_categorical(weights, g))


def test_buffered_random_numbers_keep_their_order_and_are_saved() -> None:
    _, weights = plan_and_weights()
    rounds = 2 * PREFETCH // (2 * ROWS)
    picks, g = ActionSampler(Generator().manual_seed(5)), Generator().manual_seed(5)
    for number in range(rounds):
        if number == 2:
            saved = ActionSampler(Generator().set_state(picks._generator.get_state()))
            saved.load_state_dict(picks.state_dict())
            picks = saved
        assert torch.equal(picked(picks, None), sample_categorical(weights, g))
