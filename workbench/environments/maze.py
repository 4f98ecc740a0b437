"""A maze with one goal."""

from __future__ import annotations

from pydantic import Field
from typing_extensions import override

from workbench.environments.grids.grid_config import GoalConfig, MazeSize, NonNegativeInt
from workbench.environments.grids.layouts import Cell, Walls, maze
from workbench.registry import register


@register("environment", "maze")
class Maze(GoalConfig):
    """A maze with the goal at the bottom right; exact oracle; graphs: neighbours, passages.

    The layout depends on `level` only and is the same in every trial. The initial cell is drawn
    uniformly from the cells other than the goal.
    """

    size: MazeSize = Field(13, description="side of the maze in cells, including walls; odd")
    level: NonNegativeInt = Field(0, description="seed of the layout")
    holes: NonNegativeInt = Field(
        0, description="number of walls removed, each adds a cycle; 0: a tree"
    )

    @override
    def _walls(self) -> Walls:
        return maze(self.size, self.level, self.holes)

    @override
    def _goal(self) -> Cell:
        return self.size - 2, self.size - 2
