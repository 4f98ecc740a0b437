"""One goal to be reached, as tables; episodes are cut by time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor

from workbench.environments.grids.cells import Cells
from workbench.environments.grids.layouts import Cell, Walls
from workbench.environments.tabular.tabular_environment import (
    Tables,
    TabularWorlds,
    value_iteration,
)
from workbench.types import EnvironmentSpec, Transition


def goal_tables(walls: Walls, goal: Cell) -> Tables:
    """States are the free cells, of which the goal is terminal; all others are starts.

    Planes: the walls, the agent, the goal.
    """
    cells = Cells(walls)
    end, agent = cells.number[goal], np.eye(len(cells), dtype=np.bool_)
    terminal = agent[end]
    successor = np.where(terminal[:, None], end, cells.then)
    planes = np.stack(
        [
            np.broadcast_to(walls, (len(cells), *walls.shape)),
            cells.shown(agent),
            cells.shown(np.broadcast_to(terminal, agent.shape)),
        ],
        1,
    )
    return Tables(
        torch.from_numpy(successor),
        torch.from_numpy(((successor == end) & ~terminal[:, None]).astype(np.float32)),
        torch.from_numpy(np.broadcast_to(~terminal[:, None], successor.shape).copy()),
        torch.from_numpy(terminal),
        torch.from_numpy(planes),
        torch.from_numpy(np.flatnonzero(~terminal)),
    )


class GoalWorlds(TabularWorlds):
    """A state, [B] int64, is the number of the place plus, by their number, the moves made so far.

    The time limit tells where an episode is cut, and is no wall: a search that looks past it sees
    the world go on, and what a move is worth does not depend on it.
    """

    def __init__(self, spec: EnvironmentSpec, tables: Tables, discount: float, slip: float) -> None:
        self._slip = slip
        super().__init__(spec, tables, discount)

    def step(
        self, state: Tensor, action: Tensor, generator: Generator
    ) -> tuple[Tensor, Transition]:
        """What has ended stays as it is. Nothing is drawn where nobody slips."""
        if self._slip > 0:
            action = self._slipped(action, generator)
        place, made = self._place(state), state // self._rules.size
        then, told = super().step(place, action, generator)
        made = made + (~self._rules.terminal[place]).long()
        cut = (made >= (self.spec.horizon or torch.inf)) & ~told.terminated
        state = then + made * self._rules.size
        return state, Transition(told.reward, told.discount, told.terminated, cut)

    def observe(self, state: Tensor) -> Tensor:
        return super().observe(self._place(state))

    def legal(self, state: Tensor) -> Tensor:
        return super().legal(self._place(state))

    def positions(self) -> Tensor:
        """Every non-terminal place, before any move."""
        return super().positions()

    def q(self, state: Tensor) -> Tensor:
        """[B, 4] the exact worth of every move, where moves slip its expectation."""
        return super().q(self._place(state))

    def _place(self, state: Tensor) -> Tensor:
        return state % self._rules.size

    def _slipped(self, action: Tensor, generator: Generator) -> Tensor:
        ways = self.spec.actions
        slips = torch.rand(len(action), generator=generator) < self._slip
        turned = torch.randint(1, ways, (len(action),), generator=generator)
        return torch.where(slips, (action + turned) % ways, action)

    def _solve(self) -> Tensor:
        ways = self.spec.actions
        straight = torch.eye(ways)
        made = (1 - self._slip) * straight + self._slip / (ways - 1) * (1 - straight)
        return value_iteration(self._rules, self._discount, made)
