"""The four-rooms grid of Sutton, Precup & Singh (1999)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from typing_extensions import override

from workbench.environments.grids.grid_config import GoalConfig
from workbench.environments.grids.layouts import Cell, Walls, free_cells, parse_layout
from workbench.registry import register

PICTURE = """
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
"""


@register("environment", "four_rooms")
class FourRooms(GoalConfig):
    """Four rooms (Sutton et al. 1999), one goal; exact oracle; graphs: neighbours, passages.

    The initial cell is drawn uniformly from the cells other than the goal. `slip: 0.3333` is the
    stochasticity of the paper.
    """

    goal: Annotated[list[int], Field(min_length=2, max_length=2)] = Field(
        [7, 9], description="row and column of the goal, from 0; the default is the eastern doorway"
    )

    @field_validator("goal")
    @classmethod
    def _free(cls, goal: list[int]) -> list[int]:
        if tuple(goal) not in free_cells(parse_layout(PICTURE)):
            raise ValueError(
                f"{goal} is not a free cell; allowed are row and column (1 to 11) of a cell "
                "without wall"
            )
        return goal

    @override
    def _walls(self) -> Walls:
        return parse_layout(PICTURE)

    @override
    def _goal(self) -> Cell:
        row, column = self.goal
        return row, column
