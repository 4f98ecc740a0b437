"""Finished episodes in a ring of steps, sampled uniformly as windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Generator, Tensor

from workbench.training.ring_buffer import Ring
from workbench.training.step_storage import Layout, Reader, Table
from workbench.types import Window


@dataclass(frozen=True)
class Episodes:
    """Episodes that have ended, one after the other: T+1 steps each, the last for the final state.

    A step has observation, action, legal, policy, reward, discount and value (and state), and room
    for what the replay adds (`stored`). Of a final state, action and policy are not read.
    """

    steps: Table  # [sum(T + 1)]
    length: Tensor  # [episodes] T, the number of moves
    terminated: Tensor  # [episodes] bool


def stored(step: Mapping[str, Any]) -> Layout:
    """How a step such as this one is held, with what the replay knows of it."""
    return Layout(
        {
            **step,
            "outcome": step["value"],
            "remaining": torch.zeros(1, dtype=torch.int32),
            "terminated": torch.zeros(1, dtype=torch.bool),
        }
    )


SCALARS = ("reward", "discount", "value", "outcome")
"""What windows hold beyond the unrolled steps too."""


class Replay:
    """A ring of `capacity` steps. The oldest go first; the rest of their episode stays usable."""

    def __init__(self, capacity: int, layout: Layout) -> None:
        self.ring = Ring(capacity)
        self.steps = Table.empty(layout, capacity)
        self._remaining: NDArray[np.int32] = self.steps.fields["remaining"]
        self._scalars = tuple(self.steps.fields[name] for name in SCALARS)
        self._moves = self.steps.fields["action"]
        self._terminated = self.steps.fields["terminated"]
        near = ("observation", "legal", "policy", "state")
        self._near = Reader(layout, tuple(name for name in near if name in layout.keys))
        self._starts = np.zeros(capacity, np.int64)  # serials, in a ring of their own
        self._begun = self._gone = 0  # starts that were ever written, and of these overwritten

    def __len__(self) -> int:
        """Number of steps that a window can start at."""
        return self._begun - self._gone

    @property
    def starts(self) -> Tensor:
        """Rows that are not the final state of an episode, the oldest first."""
        return self._place(np.arange(len(self)))

    def beginning(self, place: Tensor) -> Tensor:
        """Those of the rows that are not the final state of an episode."""
        return place[torch.from_numpy(self._remaining[place.numpy()] > 0)]

    def cuts(self, place: Tensor) -> Tensor:
        """The final rows of these rows' episodes, where they were cut, each once. [at most N]"""
        rows = place.numpy()
        last = (rows + self._remaining[rows]) % self.ring.capacity
        return torch.from_numpy(np.unique(last[~self._terminated[last]]))

    def _place(self, nth: NDArray[np.int64]) -> Tensor:
        """The places of the n-th oldest rows that a window can start at."""
        return torch.from_numpy(_place(self._starts, self._gone, nth))

    def add(self, episodes: Episodes) -> Tensor:
        """Append episodes, with the return to their end worked out at every step.

        Returns:
            the places of the new rows.
        """
        _complete(episodes)
        first, words = self.ring.written, episodes.steps.words[-self.ring.capacity :]
        place = self.ring.advance(len(words))
        held, remaining = self.steps.words.numpy(), self._remaining
        self._gone += _overwrite(held, remaining, first, words.numpy())
        self._begun += _begin(self._starts, self._begun, remaining, first, len(words))
        return place

    def replace(self, serial: Tensor, new: Mapping[str, Tensor]) -> None:
        """Overwrite what is named in `new` [N, ...] of rows, but of those that have gone."""
        held = self.ring.held(serial)
        place = serial[held] % self.ring.capacity
        for name, values in new.items():
            column: Tensor = self.steps[name]
            column[place] = values[held].to(column.dtype)

    def sample(self, count: int, unroll: int, lookahead: int, generator: Generator) -> Window:
        """`count` windows from uniformly drawn steps, long enough to look `lookahead` past K."""
        return self.window(self.draw(count, generator), unroll, lookahead, generator)

    def draw(self, count: int, generator: Generator) -> Tensor:
        """`count` rows that windows can start at, uniformly."""
        return self._place(torch.randint(len(self), (count,), generator=generator).numpy())

    def window(self, start: Tensor, unroll: int, lookahead: int, generator: Generator) -> Window:
        """The windows that begin at rows `start` [B]."""
        count, length = len(start), unroll + lookahead + 1
        # Past an end the moves are uniformly random: any move leaves the end as it is.
        actions, several = self.steps.fields["policy"].shape[-1], self._moves.shape[1:]
        action = torch.randint(actions, (count, unroll, *several), generator=generator)
        rows = np.empty((count, unroll + 1), np.int64)
        remaining = np.empty(count, np.int32)
        far = np.empty((len(SCALARS), count, length), self._scalars[0].dtype)
        masks = np.empty((2, count, unroll + 1), np.float32)
        _follow(
            self._remaining, self._terminated, self._moves, self._scalars, start.numpy(),
            rows, remaining, action.numpy(), far, masks,
        )  # fmt: skip
        near = self._near(self.steps, rows)
        reward, discount, value, outcome = torch.from_numpy(far).unbind()
        inside, lasting = torch.from_numpy(masks).unbind()
        return Window(
            observation=near["observation"],
            action=action,
            legal=near["legal"],
            policy=near["policy"],
            reward=reward,
            discount=discount,
            value=value,
            outcome=outcome,
            remaining=torch.from_numpy(remaining),
            inside=inside,
            lasting=lasting,
            state=near.get("state"),
        )

    def state_dict(self) -> dict[str, Any]:
        # A view of what is held and no more, for a checkpoint: it is as large as the memory allows.
        held = torch.from_numpy(self.steps.words.numpy()[: self.ring.size])
        return {"steps": held, "written": self.ring.written}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.ring.written = state["written"]
        self.steps.words[: self.ring.size] = state["steps"]
        oldest, self._gone = self.ring.written - self.ring.size, 0
        self._begun = _begin(self._starts, 0, self._remaining, oldest, self.ring.size)


def _complete(episodes: Episodes) -> None:
    """Add to the steps how far the end is, what it is, and the return until then."""
    steps = episodes.steps
    names = ("reward", "discount", "value", "outcome", "remaining", "terminated")
    columns = (steps.fields[name] for name in names)
    _look_back(episodes.length.numpy(), episodes.terminated.numpy(), *columns)


@njit(cache=True)
def _look_back(
    length: NDArray[np.int64],
    ended: NDArray[np.bool_],
    reward: NDArray[np.float32],
    discount: NDArray[np.float32],
    value: NDArray[np.float32],
    outcome: NDArray[np.float32],
    remaining: NDArray[np.int32],
    terminated: NDArray[np.bool_],
) -> None:
    """From the end of each episode to its beginning.

    The signed, discounted return starts from the value of the final state, which is 0 after a
    termination.
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
    held: NDArray[np.int64], remaining: NDArray[np.int32], first: int, new: NDArray[np.int64]
) -> int:
    """Write rows into the ring; returns at how many of those that go a window could start."""
    gone = 0
    for i in range(len(new)):
        place = (first + i) % len(held)
        gone += remaining[place] > 0
        held[place] = new[i]
    return gone


@njit(cache=True)
def _begin(
    starts: NDArray[np.int64], begun: int, remaining: NDArray[np.int32], first: int, count: int
) -> int:
    """Note at which of the newest rows a window can start; returns how many they are."""
    more = 0
    for serial in range(first, first + count):
        if remaining[serial % len(remaining)] > 0:
            starts[(begun + more) % len(starts)] = serial
            more += 1
    return more


@njit(cache=True)
def _place(starts: NDArray[np.int64], gone: int, nth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the n-th starts stand that are left, all of them in rings of one length."""
    place = np.empty(len(nth), np.int64)
    for i in range(len(nth)):
        place[i] = starts[(gone + nth[i]) % len(starts)] % len(starts)
    return place


@njit(cache=True)
def _follow(
    left: NDArray[np.int32],
    ended: NDArray[np.bool_],
    moves: NDArray[np.int64],
    scalars: tuple[NDArray[np.float32], ...],
    start: NDArray[np.int64],
    rows: NDArray[np.int64],
    remaining: NDArray[np.int32],
    action: NDArray[np.int64],
    far: NDArray[np.float32],
    masks: NDArray[np.float32],
) -> None:
    """Write from each start on what a window holds; the last step is repeated past the end.

    rows [B, K + 1] which steps these are, the scalars `far` [.., B, L + 1], and the masks `inside`
    and `lasting` [2, B, K + 1]; over `action` [B, K, ...] the moves made, up to the end.
    """
    for b in range(len(start)):
        begin, lasts = start[b], ended[start[b]]
        remaining[b] = end = left[begin]
        for k in range(rows.shape[1]):
            place = begin + min(k, end)
            if place >= len(left):  # a division would take most of the time
                place -= len(left)
            rows[b, k] = place
            masks[0, b, k], masks[1, b, k] = k < end, k < end or lasts
            if k < min(end, action.shape[1]):
                action[b, k] = moves[place]
        whole = min(end + 1, far.shape[2])
        before = min(whole, len(left) - begin)  # the rest stands at the beginning of the ring
        for i in range(len(scalars)):
            found, scalar = far[i, b], scalars[i]
            found[:before] = scalar[begin : begin + before]
            found[before:whole] = scalar[: whole - before]
            found[whole:] = found[whole - 1]
