"""A maze with one goal."""

from __future__ import annotations

from pydantic import Field

from workbench.environments.grids.grid_config import Count, GoalConfig, MazeSize
from workbench.environments.grids.layouts import Cell, Walls, maze
from workbench.registry import register


@register("environment", "maze")
class Maze(GoalConfig):
    """A maze, its goal at the bottom right; exact oracle; graphs: neighbours, passages.

    The layout is the world's, the same in every trial. Episodes begin in any other cell, each as
    likely.
    """

    size: MazeSize = Field(13, description="cells along a side, walls among them: odd")
    level: Count = Field(0, description="seed of the layout")
    holes: Count = Field(0, description="walls taken away, each opening another way; 0: one way")

    def _walls(self) -> Walls:
        return maze(self.size, self.level, self.holes)

    def _goal(self) -> Cell:
        return self.size - 2, self.size - 2
