"""Goals to be collected within a time limit, as tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.environments.grids.cells import Cells
from workbench.environments.grids.layouts import Cell, Walls
from workbench.environments.tabular.tabular_environment import Tables

SHADE = 255
"""One, as `uint8` planes have it."""


@dataclass(frozen=True)
class Rewards:
    """Of a move onto a goal, to another cell, and into a wall."""

    collected: float
    step: float
    blocked: float


@dataclass(frozen=True)
class _States:
    """The S states that can be reached, in order of time."""

    made: NDArray[np.int64]  # [S] moves
    left: NDArray[np.int64]  # [S] the goals that are left, a bit each
    cell: NDArray[np.int64]  # [S] where the agent is


def collect_tables(walls: Walls, goals: list[Cell], steps: int, rewards: Rewards) -> Tables:
    """A state is the time, the goals that are left and the agent's cell.

    It is terminal when all are collected, or time is up. Planes: the walls, the agent, the goals
    that are left, and the share of the time that is left, the same in all cells.
    """
    cells = Cells(walls)
    bit = np.zeros(len(cells), np.int64)
    bit[[cells.number[goal] for goal in goals]] = 1 << np.arange(len(goals))
    everything = (1 << len(goals)) - 1
    number, states = _reachable(cells, bit, everything, steps)
    terminal = (states.made == steps) | (states.left == 0)
    then = cells.then[states.cell]  # [S, 4]
    found = (states.left[:, None] & bit[then]) != 0
    onward = number[
        np.minimum(states.made + 1, steps)[:, None], states.left[:, None] & ~bit[then], then
    ]
    here = np.arange(len(terminal))[:, None]
    blocked = then == states.cell[:, None]
    reward = np.where(blocked, rewards.blocked, rewards.step)
    reward = np.where(found, rewards.collected, reward) * ~terminal[:, None]
    return Tables(
        torch.from_numpy(np.where(terminal[:, None], here, onward)),
        torch.from_numpy(reward.astype(np.float32)),
        torch.from_numpy(np.broadcast_to(~terminal[:, None], then.shape).copy()),
        torch.from_numpy(terminal),
        torch.from_numpy(_planes(cells, bit, steps, states)),
        torch.from_numpy(np.flatnonzero(states.made == 0)),
    )


def _reachable(
    cells: Cells, bit: NDArray[np.int64], everything: int, steps: int
) -> tuple[NDArray[np.int64], _States]:
    """Numbers of the states [steps + 1, subsets, N], -1 of what is never reached; and the states.

    An episode begins with all goals left, in a cell without one.
    """
    reached = np.zeros((steps + 1, everything + 1, len(cells)), np.bool_)
    reached[0, everything] = bit == 0
    for made in range(steps):
        left, cell = np.nonzero(reached[made])
        left, cell = left[left > 0], cell[left > 0]
        then = cells.then[cell]
        reached[made + 1, left[:, None] & ~bit[then], then] = True
    number = np.where(reached, reached.cumsum().reshape(reached.shape) - 1, -1)
    return number, _States(*np.nonzero(reached))


def _planes(cells: Cells, bit: NDArray[np.int64], steps: int, states: _States) -> NDArray[np.uint8]:
    """[S, 4, H, W]"""
    shown = np.empty((len(states.cell), 4, *cells.walls.shape), np.uint8)
    shown[:, 0] = cells.walls
    shown[:, 1] = cells.shown(states.cell[:, None] == np.arange(len(cells)))
    shown[:, 2] = cells.shown((states.left[:, None] & bit) != 0)
    shown[:, :3] *= SHADE
    shown[:, 3] = (SHADE * (steps - states.made) // steps)[:, None, None]
    return shown
