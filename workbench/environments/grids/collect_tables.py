"""Transition tables of the Collect environment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.environments.grids.cell_index import CellIndex
from workbench.environments.grids.layouts import Cell, Walls
from workbench.environments.tabular.tabular_environment import TransitionTables

UINT8_ONE = 255
"""Value of 1.0 in uint8 observations."""


@dataclass(frozen=True)
class Rewards:
    """Rewards of one action by its effect."""

    collected: float  # the agent reaches a goal
    step: float  # the agent reaches another cell
    blocked: float  # a wall blocks the agent


@dataclass(frozen=True)
class _States:
    """The S reachable states, ordered by time."""

    time: NDArray[np.int64]  # [S] number of steps so far
    goals: NDArray[np.int64]  # [S] bit set of the remaining goals
    cell: NDArray[np.int64]  # [S] index of the agent's cell


def collect_tables(
    walls: Walls, goals: list[Cell], steps: int, rewards: Rewards
) -> TransitionTables:
    """Return the tables of Collect; a state is the time, the remaining goals and the agent's cell.

    A state is terminal if no goal or no time remains. Observation planes: walls, agent, remaining
    goals, and the remaining fraction of the time, constant over the cells.
    """
    cells = CellIndex(walls)
    goal_bit = np.zeros(len(cells), np.int64)
    goal_bit[[cells.index[goal] for goal in goals]] = 1 << np.arange(len(goals))
    all_goals = (1 << len(goals)) - 1
    index, states = _reachable(cells, goal_bit, all_goals, steps)
    terminal = (states.time == steps) | (states.goals == 0)
    next_cell = cells.successor[states.cell]  # [S, 4]
    collected = (states.goals[:, None] & goal_bit[next_cell]) != 0
    successor = index[
        np.minimum(states.time + 1, steps)[:, None],
        states.goals[:, None] & ~goal_bit[next_cell],
        next_cell,
    ]
    same_state = np.arange(len(terminal))[:, None]
    blocked = next_cell == states.cell[:, None]
    reward = np.where(blocked, rewards.blocked, rewards.step)
    reward = np.where(collected, rewards.collected, reward) * ~terminal[:, None]
    return TransitionTables(
        torch.from_numpy(np.where(terminal[:, None], same_state, successor)),
        torch.from_numpy(reward.astype(np.float32)),
        torch.from_numpy(np.broadcast_to(~terminal[:, None], next_cell.shape).copy()),
        torch.from_numpy(terminal),
        torch.from_numpy(_planes(cells, goal_bit, steps, states)),
        torch.from_numpy(np.flatnonzero(states.time == 0)),
    )


def _reachable(
    cells: CellIndex, goal_bit: NDArray[np.int64], all_goals: int, steps: int
) -> tuple[NDArray[np.int64], _States]:
    """Return the state index by time, goal set and cell, and the reachable states.

    The index is [steps + 1, 2^goals, N], with -1 for unreachable states. An episode starts with all
    goals, in a cell without a goal.
    """
    reached = np.zeros((steps + 1, all_goals + 1, len(cells)), np.bool_)
    reached[0, all_goals] = goal_bit == 0
    for time in range(steps):
        goals, cell = np.nonzero(reached[time])
        goals, cell = goals[goals > 0], cell[goals > 0]
        next_cell = cells.successor[cell]
        reached[time + 1, goals[:, None] & ~goal_bit[next_cell], next_cell] = True
    index = np.where(reached, reached.cumsum().reshape(reached.shape) - 1, -1)
    return index, _States(*np.nonzero(reached))


def _planes(
    cells: CellIndex, goal_bit: NDArray[np.int64], steps: int, states: _States
) -> NDArray[np.uint8]:
    """Return the observations [S, 4, H, W] of all states."""
    planes = np.empty((len(states.cell), 4, *cells.walls.shape), np.uint8)
    planes[:, 0] = cells.walls
    planes[:, 1] = cells.planes(states.cell[:, None] == np.arange(len(cells)))
    planes[:, 2] = cells.planes((states.goals[:, None] & goal_bit) != 0)
    planes[:, :3] *= UINT8_ONE
    planes[:, 3] = (UINT8_ONE * (steps - states.time) // steps)[:, None, None]
    return planes
