"""Grid environments with one goal and a time limit."""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor
from typing_extensions import override

from workbench.environments.grids.cell_index import CellIndex
from workbench.environments.grids.layouts import Cell, Walls
from workbench.environments.tabular.tabular_environment import (
    TabularEnvironment,
    TransitionTables,
    value_iteration,
)
from workbench.types import EnvironmentSpec, Transition


def goal_tables(walls: Walls, goal: Cell) -> TransitionTables:
    """Return the tables; states are the free cells.

    The goal is terminal and all other cells are initial states. Observation planes: walls, agent,
    goal.
    """
    cells = CellIndex(walls)
    goal_index, agent = cells.index[goal], np.eye(len(cells), dtype=np.bool_)
    terminal = agent[goal_index]
    successor = np.where(terminal[:, None], goal_index, cells.successor)
    planes = np.stack(
        [
            np.broadcast_to(walls, (len(cells), *walls.shape)),
            cells.planes(agent),
            cells.planes(np.broadcast_to(terminal, agent.shape)),
        ],
        1,
    )
    return TransitionTables(
        torch.from_numpy(successor),
        torch.from_numpy(((successor == goal_index) & ~terminal[:, None]).astype(np.float32)),
        torch.from_numpy(np.broadcast_to(~terminal[:, None], successor.shape).copy()),
        torch.from_numpy(terminal),
        torch.from_numpy(planes),
        torch.from_numpy(np.flatnonzero(~terminal)),
    )


class GoalEnvironment(TabularEnvironment):
    """A goal in a grid; a state, [B] int64, encodes the agent's cell and the number of steps.

    State = cell index + number of cells * number of steps. The time limit only sets `truncated`.
    Truncated states can be stepped, so a search can look beyond the limit, and action values do not
    depend on it.

    Args:
        slip: probability that one of the other actions is executed, drawn uniformly.
    """

    def __init__(
        self, spec: EnvironmentSpec, tables: TransitionTables, discount: float, slip: float
    ) -> None:
        self._slip = slip
        super().__init__(spec, tables, discount)

    @override
    def step(
        self, state: Tensor, action: Tensor, generator: Generator
    ) -> tuple[Tensor, Transition]:
        if self._slip > 0:  # without slip there is no random draw
            action = self._executed(action, generator)
        cell, steps = self._cell(state), state // self._tables.size
        next_cell, transition = super().step(cell, action, generator)
        steps = steps + (~self._tables.terminal[cell]).long()
        truncated = (steps >= (self.spec.horizon or torch.inf)) & ~transition.terminated
        successor = next_cell + steps * self._tables.size
        return successor, Transition(
            transition.reward, transition.discount, transition.terminated, truncated
        )

    @override
    def observe(self, state: Tensor) -> Tensor:
        return super().observe(self._cell(state))

    @override
    def legal(self, state: Tensor) -> Tensor:
        return super().legal(self._cell(state))

    @override
    def positions(self) -> Tensor:
        """Return all non-terminal cells as states at step 0."""
        return super().positions()

    @override
    def q(self, state: Tensor) -> Tensor:
        """Return the optimal action values [B, 4], in expectation over slips."""
        return super().q(self._cell(state))

    def _cell(self, state: Tensor) -> Tensor:
        return state % self._tables.size

    def _executed(self, action: Tensor, generator: Generator) -> Tensor:
        """Return the executed actions, some of which slip."""
        actions = self.spec.actions
        slips = torch.rand(len(action), generator=generator) < self._slip
        offset = torch.randint(1, actions, (len(action),), generator=generator)
        return torch.where(slips, (action + offset) % actions, action)

    @override
    def _solve(self) -> Tensor:
        actions = self.spec.actions
        chosen = torch.eye(actions)
        executed = (1 - self._slip) * chosen + self._slip / (actions - 1) * (1 - chosen)
        return value_iteration(self._tables, self._discount, executed)
