"""A world as tables over its states, stepped by look-up and solved by value iteration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Generator, Tensor

from workbench.errors import illegal_moves
from workbench.types import EnvironmentSpec, Transition, greatest


@dataclass(frozen=True)
class Tables:
    """The S states of a world, by their numbers, and its rules."""

    successor: Tensor  # [S, A] int64; itself where the move is illegal or the state terminal
    reward: Tensor  # [S, A] float32, to the mover; 0 where the move is illegal
    legal: Tensor  # [S, A] bool; none at a terminal state
    terminal: Tensor  # [S] bool
    observation: Tensor  # [S, *observation], mover-relative
    start: Tensor  # [N] int64, the states in which episodes begin, each as likely

    @property
    def size(self) -> int:
        return len(self.terminal)


class TabularWorlds:
    """`Tables` as a batched environment; a state is its number, [B] int64."""

    def __init__(self, spec: EnvironmentSpec, tables: Tables, discount: float) -> None:
        self.spec = spec
        self._rules = tables
        signed = -discount if spec.alternating else discount
        going_on = ~tables.terminal[tables.successor] & ~tables.terminal[:, None]
        self._discount = signed * going_on.float()  # [S, A]
        arrays = (tables.successor, tables.reward, self._discount, tables.legal, tables.terminal)
        self._arrays = tuple(tensor.numpy() for tensor in arrays)
        self._q = self._solve().float().masked_fill(~tables.legal, -torch.inf)

    def reset(self, batch: int, generator: Generator) -> Tensor:
        """Nothing is drawn where every episode begins alike."""
        start = self._rules.start
        if len(start) == 1:
            return start.repeat(batch)
        return start[torch.randint(len(start), (batch,), generator=generator)]

    def step(
        self, state: Tensor, action: Tensor, generator: Generator
    ) -> tuple[Tensor, Transition]:
        """Raises ValueError for an illegal move; a terminal state stays as it is."""
        illegal, *found = _look_up(state.numpy(), action.numpy(), *self._arrays)
        if illegal:
            allowed = self._rules.legal[state, action] | self._rules.terminal[state]
            raise illegal_moves((~allowed).nonzero().flatten().tolist())
        then, reward, discount, ended, cut = map(torch.from_numpy, found)
        return then, Transition(reward, discount, ended, cut)

    def observe(self, state: Tensor) -> Tensor:
        return _rows(self._rules.observation, state)

    def legal(self, state: Tensor) -> Tensor:
        return _rows(self._rules.legal, state)

    def chance(self, state: Tensor) -> None:
        return None

    def positions(self) -> Tensor:
        """Every non-terminal reachable state."""
        return (~self._rules.terminal).nonzero().flatten()

    def q(self, state: Tensor) -> Tensor:
        """[B, A] the exact worth of every move to the mover, -inf where it is illegal."""
        return self._q[state]

    def value(self, state: Tensor) -> Tensor:
        """[B] the greatest of `q`, 0 where no move is left."""
        return greatest(self.q(state))

    def _solve(self) -> Tensor:
        """[S, A] float64, the worth of every legal move."""
        return value_iteration(self._rules, self._discount)


def _rows(table: Tensor, state: Tensor) -> Tensor:
    """By numpy: so soon after a search its calls take less time than torch's."""
    return torch.from_numpy(table.numpy().take(state.numpy(), 0))


SETTLED = 1e-12
"""Sweeps end when no value changes by more."""


def value_iteration(tables: Tables, discount: Tensor, reached: Tensor | None = None) -> Tensor:
    """The worth of every move by sweeps over all states, from values of 0. [S, A] float64

    It ends where no state can be met again, or where no reward is negative.

    Args:
        discount: [S, A], 0 where the state or its successor is terminal.
        reached: [A, A] the probability that the move of the column is made where that of the row
            was chosen; None where moves are made as they are chosen.
    """
    reward, factor = tables.reward.double(), discount.double()
    value = torch.zeros(tables.size, dtype=torch.float64)
    while True:
        q = reward + factor * value[tables.successor]
        if reached is not None:
            q = q @ reached.double().T
        best = q.masked_fill(~tables.legal, -torch.inf).amax(-1).where(~tables.terminal, value)
        if bool(((best - value).abs() <= SETTLED).all()):
            return q
        value = best


@njit(cache=True)
def _look_up(
    state: NDArray[np.int64],
    action: NDArray[np.int64],
    successor: NDArray[np.int64],
    reward: NDArray[np.float32],
    discount: NDArray[np.float32],
    legal: NDArray[np.bool_],
    terminal: NDArray[np.bool_],
) -> tuple[Any, ...]:
    """One step [B]: how many moves are illegal, then state, reward, discount, ended, cut."""
    count, illegal = len(state), 0
    then, ended = np.empty(count, np.int64), np.empty(count, np.bool_)
    gained, onward = np.empty(count, np.float32), np.empty(count, np.float32)
    for row in range(count):
        here, move = state[row], action[row]
        if not 0 <= move < legal.shape[1]:
            return count, then, gained, onward, ended, ended
        illegal += not (legal[here, move] or terminal[here])
        then[row] = successor[here, move]
        ended[row] = terminal[then[row]]
        gained[row], onward[row] = reward[here, move], discount[here, move]
    return illegal, then, gained, onward, ended, np.zeros(count, np.bool_)
