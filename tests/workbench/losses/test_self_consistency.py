"""Self-consistency against its formula, along real lines and along imagined ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.workbench.fakes import TableModel, problems_of, random_table
from tests.workbench.losses.unroll_fixtures import imagined_mask, line, loss, random, target
from workbench.losses.latents.imagination import unroll_policy

GAMMA = 0.9


def test_self_consistency_is_the_squared_error_of_value_to_reward_and_next_value() -> None:
    value, reward, mask = random(5, 4), random(5, 3, seed=1), imagined_mask(5, 3)
    sign = torch.where(random(5, 3, seed=2) > 0, GAMMA, -GAMMA)
    made = loss("self_consistency", None, actions="real")
    unroll = line(value=value, reward=reward, discount=sign)
    error = made(unroll, {"value": target(torch.zeros(5, 4), mask)}, None)
    for b in range(5):
        assert float(error[b, 0]) == 0
        for k in range(3):
            onward = float(reward[b, k]) + float(sign[b, k]) * float(value[b, k + 1])
            expected = (onward - float(value[b, k])) ** 2 * float(mask[b, k + 1])
            assert float(error[b, k + 1]) == pytest.approx(expected, rel=1e-5)


def test_gradient_reaches_the_earlier_value_but_not_reward_and_next_value() -> None:
    value, reward = random(4, 2).requires_grad_(), random(4, 1, seed=1).requires_grad_()
    discount = torch.full((4, 1), -GAMMA)
    made = loss("self_consistency", None, actions="real")
    mask = torch.tensor([[0.0, 1.0]] * 3 + [[0.0, 0.0]])
    unroll = line(value=value, reward=reward, discount=discount)
    made(unroll, {"value": target(torch.zeros(4, 2), mask)}, None).sum().backward()
    assert value.grad is not None
    assert reward.grad is None
    assert not value.grad[:, 1].any()
    # d/dv of (onward - v)^2 is 2 (v - onward).
    onward = reward[:, 0] - GAMMA * value[:, 1]
    expected = 2 * (value[:, 0] - onward) * mask[:, 1]
    assert torch.allclose(value.grad[:, 0], expected.detach())


def test_imagined_trajectory_is_unrolled_by_the_model() -> None:
    table = random_table(30, 4, seed=1)
    start = torch.arange(30)
    fake = line(latents=start[:, None].expand(-1, 4))
    error = loss("self_consistency", table)(fake, {"value": target(torch.zeros(30, 4))}, None)
    assert len(table.step_calls) == 3
    value = table.value
    for k, (state, action) in enumerate(table.step_calls):
        after = table.successor[state, action]
        onward = table.reward[state, action] + table.discount[state, action] * value[after]
        assert torch.allclose(error[:, k + 1], (onward - value[state]) ** 2)
        if k:
            assert torch.equal(state, table.successor[table.step_calls[k - 1]])
    assert torch.equal(table.step_calls[0][0], start)


def test_imagined_actions_are_sampled_from_the_policy_and_legal() -> None:
    probabilities = torch.tensor([0.5, 0.3, 0.2, 0.0])
    rows = 20_000
    table: Any = TableModel(
        successor=torch.zeros(1, 4, dtype=torch.int64),
        reward=torch.zeros(1, 4),
        discount=torch.ones(1, 4),
        logits=torch.tensor([[0.5, 0.3, 0.2, 0.9]]).log(),
        value=torch.zeros(1),
        legal=torch.tensor([[True, True, True, False]]),
    )
    unroll_policy(table, torch.zeros(rows, dtype=torch.int64), 2)
    first, second = (action for _, action in table.step_calls)
    for action in (first, second):
        count = Counter(action.tolist())
        for a, p in enumerate(probabilities.tolist()):
            assert abs(count[a] - rows * p) <= 5 * (rows * p * (1 - p)) ** 0.5
    both = ((first == 0) & (second == 0)).sum()  # a draw knows nothing of the one before
    assert abs(int(both) - rows / 4) < 5 * (rows * 3 / 16) ** 0.5


def test_imagination_changes_no_random_stream_and_is_reproducible() -> None:
    table = random_table(30, 4, seed=1)
    before = torch.get_rng_state()
    lines = [unroll_policy(table, torch.arange(30), 3) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(*(u.latents for u in lines), strict=True))


@pytest.mark.parametrize("actions", ["policy", "real"])
def test_loss_of_an_unroll_without_steps_is_zero(actions: str) -> None:
    latents = torch.zeros(4, 1, dtype=torch.int64)
    made = loss("self_consistency", random_table(3, 2, seed=1), actions=actions)
    error: Tensor = made(line(latents), {"value": target(torch.ones(4, 1))}, None)
    assert error.tolist() == [[0.0]] * 4


def test_imagined_trajectories_require_learned_values_past_the_end() -> None:
    text = "preset: muzero\nlosses.self_consistency: {{actions: {}}}\nprocedure.past_end: {}\n"
    (problem,) = problems_of(text.format("policy", "mask"))
    assert "use `past_end: absorbing`, or `actions: real`" in problem
    assert problems_of(text.format("real", "mask")) == []
    assert problems_of(text.format("policy", "absorbing")) == []
