"""Replay buffer: finished episodes in a ring buffer of steps, sampled as windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Generator, Tensor

from workbench.training.ring_buffer import RingBuffer
from workbench.training.step_storage import StepLayout, StepReader, StepStorage
from workbench.types import Window


@dataclass(frozen=True)
class Episodes:
    """Finished episodes, concatenated: T+1 steps each, the last one for the final state.

    The entries of a step are observation, action, legal, policy, reward, discount, value and, if
    the model needs it, state. The replay buffer adds further entries; see `step_layout`. The action
    and policy of a final state are never read.
    """

    steps: StepStorage  # [sum(T + 1)]
    length: Tensor  # [episodes] T, the number of actions
    terminated: Tensor  # [episodes] bool


def step_layout(step: Mapping[str, Any]) -> StepLayout:
    """Return the layout of a step like this example, with the entries that the buffer adds."""
    return StepLayout(
        {
            **step,
            "outcome": step["value"],
            "remaining": torch.zeros(1, dtype=torch.int32),
            "terminated": torch.zeros(1, dtype=torch.bool),
        }
    )


LOOKAHEAD_ENTRIES = ("reward", "discount", "value", "outcome")
"""Entries that a window also holds for its lookahead steps."""


class ReplayBuffer:
    """Ring buffer of `capacity` steps; a new step overwrites the oldest one."""

    def __init__(self, capacity: int, layout: StepLayout) -> None:
        self.ring = RingBuffer(capacity)
        self.steps = StepStorage.empty(layout, capacity)
        self._remaining: NDArray[np.int32] = self.steps.records["remaining"]
        self._scalars = tuple(self.steps.records[name] for name in LOOKAHEAD_ENTRIES)
        self._actions = self.steps.records["action"]
        self._terminated = self.steps.records["terminated"]
        names = ("observation", "legal", "policy", "state")
        self._read_unrolled = StepReader(layout, tuple(n for n in names if n in layout.keys))
        # Serial numbers of the steps at which a window can start, in a ring buffer of their own.
        self._starts = np.zeros(capacity, np.int64)
        # Number of starts ever written, and the number of those that were overwritten.
        self._starts_written = self._starts_overwritten = 0

    def __len__(self) -> int:
        """Return the number of steps at which a window can start."""
        return self._starts_written - self._starts_overwritten

    @property
    def starts(self) -> Tensor:
        """Slots at which a window can start, oldest first: all but final states."""
        return self._start_slots(np.arange(len(self)))

    def valid_starts(self, slots: Tensor) -> Tensor:
        """Return those of the `slots` [N] at which a window can start."""
        return slots[torch.from_numpy(self._remaining[slots.numpy()] > 0)]

    def truncated_ends(self, slots: Tensor) -> Tensor:
        """Return the slots of the final states of the truncated episodes among `slots` [N]."""
        rows = slots.numpy()
        last = (rows + self._remaining[rows]) % self.ring.capacity
        return torch.from_numpy(np.unique(last[~self._terminated[last]]))

    def _start_slots(self, nth: NDArray[np.int64]) -> Tensor:
        """Return the slots of the n-th oldest starts [N]."""
        return torch.from_numpy(_slots_of_starts(self._starts, self._starts_overwritten, nth))

    def add(self, episodes: Episodes) -> Tensor:
        """Append episodes and compute the return to the end of the episode at every step.

        Returns:
            Slots of the new steps.
        """
        _add_returns(episodes)
        first, words = self.ring.written, episodes.steps.words[-self.ring.capacity :]
        slots = self.ring.advance(len(words))
        steps, remaining = self.steps.words.numpy(), self._remaining
        self._starts_overwritten += _overwrite(steps, remaining, first, words.numpy())
        self._starts_written += _record_starts(
            self._starts, self._starts_written, remaining, first, len(words)
        )
        return slots

    def replace(self, serial: Tensor, new: Mapping[str, Tensor]) -> None:
        """Replace entries of the steps with serial numbers `serial` [N] by `new` [N, ...].

        Steps that have been overwritten are ignored.
        """
        held = self.ring.held(serial)
        slots = serial[held] % self.ring.capacity
        for name, values in new.items():
            column: Tensor = self.steps[name]
            column[slots] = values[held].to(column.dtype)

    def sample(self, count: int, unroll: int, lookahead: int, generator: Generator) -> Window:
        """Sample `count` windows of K + `lookahead` + 1 steps uniformly."""
        return self.window(self.sample_starts(count, generator), unroll, lookahead, generator)

    def sample_starts(self, count: int, generator: Generator) -> Tensor:
        """Sample the start slots [count] of windows uniformly."""
        return self._start_slots(torch.randint(len(self), (count,), generator=generator).numpy())

    def window(self, start: Tensor, unroll: int, lookahead: int, generator: Generator) -> Window:
        """Return the windows that start at slots `start` [B]."""
        count, length = len(start), unroll + lookahead + 1
        # Actions past the end are uniformly random, because absorbing states ignore them.
        n_actions, action_shape = self.steps.records["policy"].shape[-1], self._actions.shape[1:]
        action = torch.randint(n_actions, (count, unroll, *action_shape), generator=generator)
        rows = np.empty((count, unroll + 1), np.int64)
        remaining = np.empty(count, np.int32)
        scalars = np.empty((len(LOOKAHEAD_ENTRIES), count, length), self._scalars[0].dtype)
        masks = np.empty((2, count, unroll + 1), np.float32)
        _gather_windows(
            self._remaining, self._terminated, self._actions, self._scalars, start.numpy(),
            rows, remaining, action.numpy(), scalars, masks,
        )  # fmt: skip
        unrolled = self._read_unrolled(self.steps, rows)
        reward, discount, value, return_to_go = torch.from_numpy(scalars).unbind()
        valid, valid_or_absorbing = torch.from_numpy(masks).unbind()
        return Window(
            observation=unrolled["observation"],
            action=action,
            legal=unrolled["legal"],
            policy=unrolled["policy"],
            reward=reward,
            discount=discount,
            value=value,
            return_to_go=return_to_go,
            steps_to_end=torch.from_numpy(remaining),
            valid=valid,
            valid_or_absorbing=valid_or_absorbing,
            state=unrolled.get("state"),
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        # A view of the stored steps, because a copy might exceed the memory.
        steps = torch.from_numpy(self.steps.words.numpy()[: self.ring.size])
        return {"steps": steps, "written": self.ring.written}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.ring.written = state["written"]
        self.steps.words[: self.ring.size] = state["steps"]
        oldest, self._starts_overwritten = self.ring.written - self.ring.size, 0
        self._starts_written = _record_starts(
            self._starts, 0, self._remaining, oldest, self.ring.size
        )


def _add_returns(episodes: Episodes) -> None:
    """Add to every step the number of steps to the end, whether it terminates, and the return."""
    steps = episodes.steps
    names = ("reward", "discount", "value", "outcome", "remaining", "terminated")
    columns = (steps.records[name] for name in names)
    _compute_returns(episodes.length.numpy(), episodes.terminated.numpy(), *columns)


@njit(cache=True)
def _compute_returns(
    length: NDArray[np.int64],
    ended: NDArray[np.bool_],
    reward: NDArray[np.float32],
    discount: NDArray[np.float32],
    value: NDArray[np.float32],
    outcome: NDArray[np.float32],
    remaining: NDArray[np.int32],
    terminated: NDArray[np.bool_],
) -> None:
    """Compute returns backwards from the end of each episode.

    The discounted return includes the signs of alternating players. It starts from the value of the
    final state, which is 0 after a termination.
    """
    step = len(value)
    for episode in range(len(length) - 1, -1, -1):
        for left in range(length[episode] + 1):
            step -= 1
            remaining[step], terminated[step] = left, ended[episode]
            after = reward[step] + discount[step] * outcome[step + 1] if left else value[step]
            outcome[step] = after


@njit(cache=True)
def _overwrite(
    steps: NDArray[np.int64], remaining: NDArray[np.int32], first: int, new: NDArray[np.int64]
) -> int:
    """Write steps into the ring buffer and return the number of overwritten starts."""
    overwritten = 0
    for i in range(len(new)):
        slot = (first + i) % len(steps)
        overwritten += remaining[slot] > 0
        steps[slot] = new[i]
    return overwritten


@njit(cache=True)
def _record_starts(
    starts: NDArray[np.int64], written: int, remaining: NDArray[np.int32], first: int, count: int
) -> int:
    """Record the starts among the newest steps and return their number."""
    added = 0
    for serial in range(first, first + count):
        if remaining[serial % len(remaining)] > 0:
            starts[(written + added) % len(starts)] = serial
            added += 1
    return added


@njit(cache=True)
def _slots_of_starts(
    starts: NDArray[np.int64], overwritten: int, nth: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the slots of the n-th oldest starts; both ring buffers have the same capacity."""
    slots = np.empty(len(nth), np.int64)
    for i in range(len(nth)):
        slots[i] = starts[(overwritten + nth[i]) % len(starts)] % len(starts)
    return slots


@njit(cache=True)
def _gather_windows(
    stored_remaining: NDArray[np.int32],
    stored_terminated: NDArray[np.bool_],
    stored_actions: NDArray[np.int64],
    stored_scalars: tuple[NDArray[np.float32], ...],
    start: NDArray[np.int64],
    rows: NDArray[np.int64],
    remaining: NDArray[np.int32],
    action: NDArray[np.int64],
    scalars: NDArray[np.float32],
    masks: NDArray[np.float32],
) -> None:
    """Gather the windows that begin at slots `start` [B]; past the end, the last step repeats.

    The arrays `stored_...` are the columns of the replay buffer; the others are filled in place.

    Args:
        stored_remaining: number of steps to the end of the episode.
        stored_terminated: whether the episode terminates.
        stored_actions: actions.
        stored_scalars: columns of `LOOKAHEAD_ENTRIES`.
        start: [B] first slot of each window.
        rows: [B, K + 1] slots of the unrolled steps.
        remaining: [B] number of steps to the end of the episode.
        action: [B, K, ...] actions; entries past the end of the episode are left unchanged.
        scalars: [entries, B, L + 1] values of `LOOKAHEAD_ENTRIES`.
        masks: [2, B, K + 1] `Window.valid` and `Window.valid_or_absorbing`.
    """
    capacity = len(stored_remaining)
    for b in range(len(start)):
        begin, terminated = start[b], stored_terminated[start[b]]
        remaining[b] = end = stored_remaining[begin]
        for k in range(rows.shape[1]):
            slot = begin + min(k, end)
            if slot >= capacity:  # faster than a modulo, which would take most of the time
                slot -= capacity
            rows[b, k] = slot
            masks[0, b, k], masks[1, b, k] = k < end, k < end or terminated
            if k < min(end, action.shape[1]):
                action[b, k] = stored_actions[slot]
        count = min(end + 1, scalars.shape[2])
        before = min(count, capacity - begin)  # the rest wraps around to slot 0
        for i in range(len(stored_scalars)):
            gathered, stored = scalars[i, b], stored_scalars[i]
            gathered[:before] = stored[begin : begin + before]
            gathered[before:count] = stored[: count - before]
            gathered[count:] = gathered[count - 1]
