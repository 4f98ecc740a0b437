"""Finished episodes in a ring of steps, sampled uniformly as windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Generator, Tensor

from workbench.training.ring import Ring
from workbench.training.table import Layout, Table
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
        self._remaining: Tensor = self.steps["remaining"]
        self._starts = torch.zeros(capacity, dtype=torch.int64)  # serials, in a ring of their own
        self._begun = self._gone = 0  # starts that were ever written, and of these overwritten

    def __len__(self) -> int:
        """Number of steps that a window can start at."""
        return self._begun - self._gone

    @property
    def starts(self) -> Tensor:
        """Rows that are not the final state of an episode, the oldest first."""
        return self._start(torch.arange(len(self)))

    def beginning(self, place: Tensor) -> Tensor:
        """Those of the rows that are not the final state of an episode."""
        return place[self._remaining[place] > 0]

    def _start(self, nth: Tensor) -> Tensor:
        """The place of the n-th oldest row that a window can start at."""
        starts, capacity = self._starts.numpy(), self.ring.capacity
        return torch.from_numpy(starts[(self._gone + nth.numpy()) % capacity] % capacity)

    def add(self, episodes: Episodes) -> Tensor:
        """Append episodes, with the return to their end worked out at every step.

        Returns:
            the places of the new rows.
        """
        _complete(episodes)
        first, words = self.ring.written, episodes.steps.words[-self.ring.capacity :]
        place = self.ring.advance(len(words))
        held, remaining = self.steps.words.numpy(), self._remaining.numpy()
        self._gone += _overwrite(held, remaining, first, words.numpy())
        self._begun += _begin(self._starts.numpy(), self._begun, remaining, first, len(words))
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
        return self._start(torch.randint(len(self), (count,), generator=generator))

    def window(self, start: Tensor, unroll: int, lookahead: int, generator: Generator) -> Window:
        """The windows that begin at rows `start` [B]."""
        steps, fields = self.steps, self.steps.fields
        shape = (len(start) * (unroll + 1), steps.words.shape[1])
        near = Table(steps.layout, steps.words.new_empty(shape))
        far = steps["reward"].new_empty(len(SCALARS), len(start), unroll + lookahead + 1)
        scalars = tuple(fields[name] for name in SCALARS)
        remaining = self._remaining[start]
        _follow(
            steps.words.numpy(), scalars, start.numpy(), remaining.numpy(),
            near.words.numpy(), far.numpy(),
        )  # fmt: skip
        read = partial(near.read, shape=(len(start), unroll + 1))
        reward, discount, value, outcome = far.unbind()
        return Window(
            observation=read("observation"),
            action=self._actions(read("action")[:, :unroll], remaining, generator),
            legal=read("legal"),
            policy=read("policy"),
            reward=reward,
            discount=discount,
            value=value,
            outcome=outcome,
            remaining=remaining,
            terminated=read("terminated")[:, 0],
            state=read("state") if "state" in steps.layout.keys else None,
        )

    def _actions(self, taken: Tensor, remaining: Tensor, generator: Generator) -> Tensor:
        """The moves made, and past the end uniformly random ones: any move leaves the end as is."""
        actions = self.steps.fields["policy"].shape[-1]
        random = torch.randint(actions, taken.shape, generator=generator)
        _wander(random.numpy(), taken.numpy(), remaining.numpy())
        return random

    def state_dict(self) -> dict[str, Any]:
        # A view of what is held and no more, for a checkpoint: it is as large as the memory allows.
        held = torch.from_numpy(self.steps.words.numpy()[: self.ring.size])
        return {"steps": held, "written": self.ring.written}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.ring.written = state["written"]
        self.steps.words[: self.ring.size] = state["steps"]
        oldest, self._gone = self.ring.written - self.ring.size, 0
        starts, remaining = self._starts.numpy(), self._remaining.numpy()
        self._begun = _begin(starts, 0, remaining, oldest, self.ring.size)


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
def _follow(
    steps: NDArray[np.int64],
    scalars: tuple[NDArray[np.float32], ...],
    start: NDArray[np.int64],
    remaining: NDArray[np.int32],
    near: NDArray[np.int64],
    far: NDArray[np.float32],
) -> None:
    """Copy the steps [B * (K + 1)] and the scalars [.., B, L + 1] from each start on.

    The last step of an episode is repeated past its end.
    """
    length = far.shape[2]
    copied = len(near) // len(start)
    for row in range(len(start)):
        for k in range(length):
            place = (start[row] + min(k, remaining[row])) % len(steps)
            if k < copied:
                near[row * copied + k] = steps[place]
            for i in range(len(scalars)):
                far[i, row, k] = scalars[i][place]


@njit(cache=True)
def _wander(
    random: NDArray[np.int64], taken: NDArray[np.int64], remaining: NDArray[np.int32]
) -> None:
    """Write the moves made [B, K, ...] over random ones, up to the end of each episode."""
    for row in range(len(random)):
        inside = min(random.shape[1], remaining[row])
        random[row, :inside] = taken[row, :inside]
