"""Random episodes as plain Python, and what the literature says should be learnt from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from workbench.training.replay_buffer import Episodes, step_layout
from workbench.training.step_kernels import append_steps
from workbench.training.step_storage import StepLayout, StepStorage

ACTIONS = 3
UNREAD = 777.0
"""Stands where nothing may read it."""


@dataclass(frozen=True)
class History:
    """One episode: T moves, T+1 states."""

    number: int
    gamma: float
    movers: tuple[int, ...]  # T+1: who moves at t
    rewards: tuple[float, ...]  # T: to the mover
    values: tuple[float, ...]  # T+1: to the mover; the last is 0, or after a cut the bootstrap
    actions: tuple[int, ...]  # T
    policies: tuple[tuple[float, ...], ...]  # T
    terminated: bool

    @property
    def length(self) -> int:
        return len(self.rewards)

    def sign(self, t: int, later: int) -> int:
        return 1 if self.movers[t] == self.movers[later] else -1

    def n_step(self, t: int, n: int) -> float:
        """sum_i<n g^i s(t, t+i) r_{t+i} + g^n s(t, t+n) v_{t+n}, up to the end."""
        stop = min(t + n, self.length)
        if t >= self.length:
            return self.values[-1]
        gained = sum(
            self.gamma ** (i - t) * self.sign(t, i) * self.rewards[i] for i in range(t, stop)
        )
        ahead = self.sign(t, stop) * self.values[stop]
        return gained + self.gamma ** (stop - t) * ahead

    def discount(self, t: int) -> float:
        if self.terminated and t == self.length - 1:
            return 0.0
        return self.gamma * self.sign(t, t + 1)


numbers = st.floats(-2, 2, width=32)


@st.composite
def histories(draw: st.DrawFn, number: int, gamma: float, players: int) -> History:
    length = draw(st.integers(1, 9))
    movers = draw(st.lists(st.integers(0, players - 1), min_size=length + 1, max_size=length + 1))
    terminated = draw(st.booleans())
    values = draw(st.lists(numbers, min_size=length + 1, max_size=length + 1))
    return History(
        number,
        gamma,
        tuple(movers),
        tuple(draw(st.lists(numbers, min_size=length, max_size=length))),
        (*values[:-1], 0.0 if terminated else values[-1]),
        tuple(draw(st.lists(st.integers(0, ACTIONS - 1), min_size=length, max_size=length))),
        tuple(
            draw(st.sampled_from([(1.0, 0.0, 0.0), (0.25, 0.5, 0.25), (0.0, 0.5, 0.5)]))
            for _ in range(length)
        ),
        terminated,
    )


@st.composite
def experience(draw: st.DrawFn) -> list[list[History]]:
    """Episodes in the order in which they end, in groups of those that end together."""
    gamma = draw(st.sampled_from([1.0, 0.9, 0.5]))
    players = draw(st.integers(1, 2))
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    count = 0
    groups = []
    for size in sizes:
        groups.append([draw(histories(count + i, gamma, players)) for i in range(size)])
        count += size
    return groups


def concatenated(group: list[History]) -> Episodes:
    """A group as the actor hands it over, with junk for the moves that final states do not have."""
    rows: dict[str, list[object]] = {
        name: []
        for name in ("observation", "action", "legal", "policy", "reward", "discount", "value")
    }
    for h in group:
        rows["observation"] += [[h.number, t] for t in range(h.length + 1)]
        rows["action"] += [*h.actions, 1]
        rows["legal"] += [[True] * ACTIONS] * (h.length + 1)
        rows["policy"] += [*h.policies, [UNREAD] * ACTIONS]
        rows["reward"] += [*h.rewards, 0.0]
        rows["discount"] += [*map(h.discount, range(h.length)), 0.0]
        rows["value"] += h.values
    return episodes_of(
        {name: torch.tensor(values) for name, values in rows.items()},
        [h.length for h in group],
        [h.terminated for h in group],
    )


def episodes_of(rows: dict[str, Tensor], length: list[int], terminated: list[bool]) -> Episodes:
    """Episodes one after the other; numbers in double precision."""
    step = {
        name: t if t.dtype in (torch.int64, torch.bool) else t.double() for name, t in rows.items()
    }
    steps = StepStorage.empty(layout_of(step), len(step["reward"]))
    fill(steps, step)
    return Episodes(steps, torch.tensor(length), torch.tensor(terminated))


def fill(table: StepStorage, step: dict[str, Any]) -> None:
    """Write entries [count, ...] of all steps of a table: episodes of one step each."""
    entries = table.layout.entries(step, len(table))
    append_steps(entries.addresses, entries.formats, table.bytes, 1, np.zeros(len(table), np.int64))


def layout_of(step: dict[str, Tensor]) -> StepLayout:
    return step_layout({name: tensor[:1] for name, tensor in step.items()})
