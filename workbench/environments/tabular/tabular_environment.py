"""A tabular environment: stepped by table lookup, solved by value iteration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Generator, Tensor
from typing_extensions import override

from workbench.errors import illegal_actions
from workbench.types import EnvironmentSpec, ListedEnvironment, Transition, max_value


@dataclass(frozen=True)
class TransitionTables:
    """The rules of a deterministic environment with S states, indexed by state."""

    successor: Tensor  # [S, A] int64; the state itself if the action is illegal or it is terminal
    reward: Tensor  # [S, A] float32, for the player to move; 0 if illegal
    legal: Tensor  # [S, A] bool; all false in a terminal state
    terminal: Tensor  # [S] bool
    observation: Tensor  # [S, *observation], relative to the player to move
    start: Tensor  # [N] int64, initial states, drawn uniformly

    @property
    def size(self) -> int:
        """Number of states S."""
        return len(self.terminal)


class TabularEnvironment(ListedEnvironment):
    """`TransitionTables` as a batched environment; states are indices, [B] int64."""

    def __init__(self, spec: EnvironmentSpec, tables: TransitionTables, discount: float) -> None:
        self.spec = spec
        self._tables = tables
        signed = -discount if spec.alternating else discount
        continues = ~tables.terminal[tables.successor] & ~tables.terminal[:, None]
        self._discount = signed * continues.float()  # [S, A]
        arrays = (tables.successor, tables.reward, self._discount, tables.legal, tables.terminal)
        self._arrays = tuple(tensor.numpy() for tensor in arrays)

    @override
    def reset(self, batch: int, generator: Generator) -> Tensor:
        start = self._tables.start
        if len(start) == 1:  # a single initial state needs no random draw
            return start.repeat(batch)
        return start[torch.randint(len(start), (batch,), generator=generator)]

    @override
    def step(
        self, state: Tensor, action: Tensor, generator: Generator
    ) -> tuple[Tensor, Transition]:
        """Return the next states and the transitions.

        Raises:
            ValueError: an action is illegal in a non-terminal state.
        """
        illegal, *results = _look_up(state.numpy(), action.numpy(), *self._arrays)
        if illegal:
            accepted = self._tables.legal[state, action] | self._tables.terminal[state]
            raise illegal_actions((~accepted).nonzero().flatten().tolist())
        successor, *transition = map(torch.from_numpy, results)
        return successor, Transition(*transition)

    @override
    def observe(self, state: Tensor) -> Tensor:
        return _rows(self._tables.observation, state)

    @override
    def legal(self, state: Tensor) -> Tensor:
        return _rows(self._tables.legal, state)

    @override
    def chance(self, state: Tensor) -> None:
        return None

    @override
    def positions(self) -> Tensor:
        return (~self._tables.terminal).nonzero().flatten()

    @override
    def q(self, state: Tensor) -> Tensor:
        return self._q[state]

    @override
    def value(self, state: Tensor) -> Tensor:
        return max_value(self.q(state))

    @cached_property
    def _q(self) -> Tensor:
        return self._solve().float().masked_fill(~self._tables.legal, -torch.inf)

    def _solve(self) -> Tensor:
        """Return the optimal action values, [S, A] float64; arbitrary for illegal actions."""
        return value_iteration(self._tables, self._discount)


def _rows(table: Tensor, state: Tensor) -> Tensor:
    """Return rows of a table.

    It uses numpy because right after a search numpy calls are faster than torch calls.
    """
    return torch.from_numpy(table.numpy().take(state.numpy(), 0))


VALUE_TOLERANCE = 1e-12
"""Value iteration stops when no value changes by more than this."""


def value_iteration(
    tables: TransitionTables, discount: Tensor, executed: Tensor | None = None
) -> Tensor:
    """Return the optimal action values, [S, A] float64, by value iteration from 0.

    It terminates if no state can recur, or if no reward is negative.

    Args:
        tables: rules of the environment.
        discount: [S, A], 0 if the state or its successor is terminal.
        executed: [A, A] probability that the column's action is executed if the row's action is
            chosen; None if actions are always executed as chosen.
    """
    reward, factor = tables.reward.double(), discount.double()
    value = torch.zeros(tables.size, dtype=torch.float64)
    while True:
        q = reward + factor * value[tables.successor]
        if executed is not None:
            q = q @ executed.double().T
        best = q.masked_fill(~tables.legal, -torch.inf).amax(-1).where(~tables.terminal, value)
        if bool(((best - value).abs() <= VALUE_TOLERANCE).all()):
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
    """Step a batch of states.

    Return the number of illegal actions, then the next state, reward, discount, terminated and
    truncated, each [B].
    """
    count, illegal = len(state), 0
    next_state, terminated = np.empty(count, np.int64), np.empty(count, np.bool_)
    rewards, discounts = np.empty(count, np.float32), np.empty(count, np.float32)
    for row in range(count):
        s, a = state[row], action[row]
        if not 0 <= a < legal.shape[1]:
            return count, next_state, rewards, discounts, terminated, terminated
        illegal += not (legal[s, a] or terminal[s])
        next_state[row] = successor[s, a]
        terminated[row] = terminal[next_state[row]]
        rewards[row], discounts[row] = reward[s, a], discount[s, a]
    return illegal, next_state, rewards, discounts, terminated, np.zeros(count, np.bool_)
