"""The four rooms of Sutton, Precup & Singh."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from workbench.environments.grids.grid_config import GoalConfig
from workbench.environments.grids.layouts import Cell, Walls, drawn, free_cells
from workbench.registry import register

ROOMS = drawn("""
    #############
    #.....#.....#
    #.....#.....#
    #...........#
    #.....#.....#
    #.....#.....#
    ##.####.....#
    #.....###.###
    #.....#.....#
    #.....#.....#
    #...........#
    #.....#.....#
    #############
""")


@register("environment", "four_rooms")
class FourRooms(GoalConfig):
    """Four rooms (Sutton et al. 1999), one goal; exact oracle; graphs: neighbours, passages.

    Episodes begin in any other cell, each as likely. With `slip: 0.3333` moves go astray as often
    as in the paper.
    """

    goal: Annotated[list[int], Field(min_length=2, max_length=2)] = Field(
        [7, 9], description="row and column of the goal, from 0; by default the eastern doorway"
    )

    @field_validator("goal")
    @classmethod
    def _free(cls, goal: list[int]) -> list[int]:
        if tuple(goal) not in free_cells(ROOMS):
            raise ValueError(
                f"{goal} is no free cell; allowed are row and column, 1 to 11, of one without wall"
            )
        return goal

    def _walls(self) -> Walls:
        return ROOMS

    def _goal(self) -> Cell:
        row, column = self.goal
        return row, column
