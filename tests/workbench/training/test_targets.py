"""The replay and every target against brute force over plain episodes, at every index."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from tests.workbench.training.histories import (
    ACTIONS,
    History,
    concatenated,
    experience,
)
from workbench.contracts import Context
from workbench.registry import components
from workbench.training.n_step_return import n_step_return
from workbench.training.replay_buffer import ReplayBuffer
from workbench.types import Target, Window

SOME = settings(max_examples=60, deadline=None, derandomize=True)


def stored(groups: list[list[History]], capacity: int) -> ReplayBuffer:
    replay = ReplayBuffer(capacity, concatenated([history(True)]).steps.layout)
    for group in groups:
        replay.add(concatenated(group))
    return replay


def windows(
    groups: list[list[History]], capacity: int, unroll: int, lookahead: int
) -> tuple[Window, list[tuple[History, int]]]:
    """The window of every start that the replay holds, and the episode and time of each."""
    replay = stored(groups, capacity)
    window = replay.window(replay.starts, unroll, lookahead, Generator().manual_seed(0))
    by_number = {h.number: h for group in groups for h in group}
    first = window.observation[:, 0].long().tolist()
    return window, [(by_number[e], t) for e, t in first]


def made(target: str, window: Window, absorbing: bool, **options: int) -> Target:
    context = Context(absorbing, None, None, None, Generator())  # type: ignore[arg-type]
    result: Target = components("target")[target](**options).build()(window, context)  # type: ignore[attr-defined]
    return result


def state_mask(h: History, t: int, absorbing: bool) -> float:
    return float(t < h.length or (absorbing and h.terminated))


def transition_mask(h: History, t: int, absorbing: bool) -> float:
    """Reward and termination of the transition into the state at t."""
    return float(t <= h.length or (absorbing and h.terminated))


everything = given(
    groups=experience(),
    unroll=st.integers(0, 6),
    absorbing=st.booleans(),
)


@SOME
@given(groups=experience(), capacity=st.integers(1, 60), unroll=st.integers(0, 6))
def test_replay_keeps_the_newest_steps_and_windows_stay_in_their_episode(
    groups: list[list[History]], capacity: int, unroll: int
) -> None:
    rows = [(h, t) for group in groups for h in group for t in range(h.length + 1)]
    kept = [(h.number, t) for h, t in rows[-capacity:] if t < h.length]
    replay = stored(groups, capacity)
    assert len(replay) == len(kept)
    if not kept:
        return
    window, starts = windows(groups, capacity, unroll, 2)
    assert sorted((h.number, t) for h, t in starts) == sorted(kept)
    for b, (h, t) in enumerate(starts):
        times = [min(t + k, h.length) for k in range(unroll + 1)]
        assert window.observation[b].tolist() == [[h.number, time] for time in times]
        taken = list(h.actions[t : t + unroll])
        assert window.action[b].tolist()[: len(taken)] == taken
        assert set(window.action[b].tolist()) <= set(range(ACTIONS))
        assert int(window.steps_to_end[b]) == h.length - t
        inside = [t + k < h.length for k in range(unroll + 1)]
        assert window.valid[b].tolist() == inside
        assert window.valid_or_absorbing[b].tolist() == [
            before or h.terminated for before in inside
        ]
        assert window.reward.shape[1] == unroll + 3


@SOME
@given(groups=experience(), capacity=st.integers(1, 40), cut=st.integers(0, 5))
def test_restored_replay_continues_as_if_uninterrupted(
    groups: list[list[History]], capacity: int, cut: int
) -> None:
    whole, before = stored(groups, capacity), stored(groups[:cut], capacity)
    after = ReplayBuffer(capacity, whole.steps.layout)
    after.load_state_dict(before.state_dict())
    for group in groups[cut:]:
        after.add(concatenated(group))
    assert torch.equal(whole.starts, after.starts)
    if len(whole):
        draws = [r.sample(20, 3, 2, Generator().manual_seed(1)) for r in (whole, after)]
        for name in ("observation", "action", "reward", "return_to_go", "value", "steps_to_end"):
            assert torch.equal(getattr(draws[0], name), getattr(draws[1], name))


@SOME
@everything
def test_n_step_return_is_the_signed_discounted_sum_plus_bootstrap(
    groups: list[list[History]], unroll: int, absorbing: bool
) -> None:
    for n in (1, 2, 5, 12):
        window, starts = windows(groups, 1000, unroll, n)
        target = made("n_step", window, absorbing, steps=n)
        expected = [[h.n_step(t + k, n) for k in range(unroll + 1)] for h, t in starts]
        mask = [[state_mask(h, t + k, absorbing) for k in range(unroll + 1)] for h, t in starts]
        assert target.mask.tolist() == mask
        assert torch.allclose(target.value, torch.tensor(expected).double(), atol=1e-5)


@SOME
@everything
def test_outcome_target_is_the_signed_discounted_return_to_the_end(
    groups: list[list[History]], unroll: int, absorbing: bool
) -> None:
    window, starts = windows(groups, 1000, unroll, 0)
    target = made("outcome", window, absorbing)
    expected = [[h.n_step(t + k, 10**6) for k in range(unroll + 1)] for h, t in starts]
    mask = [[state_mask(h, t + k, absorbing) for k in range(unroll + 1)] for h, t in starts]
    assert target.mask.tolist() == mask
    assert torch.allclose(target.value, torch.tensor(expected).double(), atol=1e-5)


@pytest.mark.parametrize("gamma", [0.05, 0.2, 0.5, 0.997])
def test_n_step_return_keeps_its_precision_with_small_discounts(gamma: float) -> None:
    unroll, steps, rows = 25, 10, 8
    g = Generator().manual_seed(0)
    reward, value = torch.randn(2, rows, unroll + steps + 1, generator=g)
    remaining = torch.tensor([60, 35, 30, 26, 25, 12, 1, 0], dtype=torch.int32)
    window: Any = SimpleNamespace(
        reward=reward,
        discount=torch.full_like(reward, gamma),
        value=value,
        steps_to_end=remaining,
        unroll=unroll,
    )
    found = n_step_return(window, steps)
    for b in range(rows):
        for k in range(min(unroll + 1, int(remaining[b]))):
            expected = float(value[b, k + steps])
            for i in reversed(range(k, min(k + steps, int(remaining[b])))):
                expected = float(reward[b, i]) + gamma * expected
            assert float(found[b, k]) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@SOME
@everything
def test_search_policy_target_is_stored_and_masked_past_the_end(
    groups: list[list[History]], unroll: int, absorbing: bool
) -> None:
    window, starts = windows(groups, 1000, unroll, 0)
    target = made("search_policy", window, absorbing)
    for b, (h, t) in enumerate(starts):
        for k in range(unroll + 1):
            assert float(target.mask[b, k]) == float(t + k < h.length)
            if t + k < h.length:
                assert tuple(target.value[b, k].tolist()) == h.policies[t + k]


@SOME
@everything
def test_reward_and_termination_targets_belong_to_the_edge_into_a_state(
    groups: list[list[History]], unroll: int, absorbing: bool
) -> None:
    window, starts = windows(groups, 1000, unroll, 0)
    reward = made("observed_reward", window, absorbing)
    ended = made("observed_termination", window, absorbing)
    for b, (h, t) in enumerate(starts):
        assert float(reward.mask[b, 0]) == float(ended.mask[b, 0]) == 0.0
        for k in range(1, unroll + 1):
            mask = transition_mask(h, t + k, absorbing)
            assert float(reward.mask[b, k]) == float(ended.mask[b, k]) == mask
            gained = h.rewards[t + k - 1] if t + k <= h.length else 0.0
            if mask:
                assert float(reward.value[b, k]) == gained
                assert float(ended.value[b, k]) == float(h.terminated and t + k >= h.length)


def history(terminated: bool) -> History:
    """Three moves of two players in turn: rewards 0, 0, 1 and gamma .5; the last value is .8."""
    return History(
        0,
        0.5,
        (0, 1, 0, 1),
        (0.0, 0.0, 1.0),
        (0.1, 0.2, 0.4, 0.0 if terminated else 0.8),
        (0, 1, 2),
        ((1.0, 0.0, 0.0),) * 3,
        terminated,
    )


@pytest.mark.parametrize(
    ("terminated", "absorbing", "outcome", "two_step", "mask"),
    [
        # The winner moved third: 1 to him, -.5 to the second, .25 to the first. Two steps from the
        # first state: 0 - .5 * 0 + .25 * .4 = .1.
        (True, True, [0.25, -0.5, 1.0, 0.0, 0.0], [0.1, -0.5, 1.0, 0.0, 0.0], [1, 1, 1, 1, 1]),
        (True, False, [0.25, -0.5, 1.0, 0.0, 0.0], [0.1, -0.5, 1.0, 0.0, 0.0], [1, 1, 1, 0, 0]),
        # Cut after the third move where the next mover expects .8: 1 - .5 * .8 = .6 at the third
        # state, -.3 at the second, .15 at the first; two steps from the second are the same.
        (False, True, [0.15, -0.3, 0.6, 0.8, 0.8], [0.1, -0.3, 0.6, 0.8, 0.8], [1, 1, 1, 0, 0]),
    ],
)
def test_targets_worked_by_hand(
    terminated: bool, absorbing: bool, outcome: list[float], two_step: list[float], mask: list[int]
) -> None:
    replay = stored([[history(terminated)]], 10)
    window = replay.window(torch.tensor([0]), 4, 2, Generator())
    for name, options, expected in (("outcome", {}, outcome), ("n_step", {"steps": 2}, two_step)):
        target = made(name, window, absorbing, **options)
        assert target.value[0].tolist() == pytest.approx(expected)
        assert target.mask[0].tolist() == mask


def test_window_starts_are_sampled_uniformly() -> None:
    replay = stored([[history(True), history(True)]], 100)
    window = replay.sample(12_000, 0, 0, Generator().manual_seed(2))
    # Six starts; of 12,000 draws each has 2,000 with standard deviation 41.
    drawn = Counter(window.steps_to_end.tolist())
    assert set(drawn) == {1, 2, 3}
    assert all(abs(count - 4000) < 5 * 52 for count in drawn.values())


def test_actions_past_the_end_are_sampled_from_all_actions() -> None:
    replay = stored([[history(True)]], 100)
    window = replay.window(torch.full((300,), 2), 3, 0, Generator().manual_seed(0))
    assert window.action[:, 0].tolist() == [2] * 300
    assert set(window.action[:, 1:].flatten().tolist()) == {0, 1, 2}
