"""Goals in a maze, to be collected within a time limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from workbench.components import Positive
from workbench.environments.grids.grid_config import Count, GridConfig, MazeSize
from workbench.environments.grids.layouts import Cell, Walls, free_cells, maze, scattered
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.environments.tabular.tabular_environment import TabularWorlds

COLLECTED, STEP, BLOCKED = 2.0, -0.2, -0.5
"""Rewards of a move onto a goal, to another cell, and into a wall (the authors' configuration)."""
PLANES = 4
LARGEST = 256
"""Megabytes that the observations of all states may take."""


@register("environment", "collect")
class Collect(GridConfig):
    """Collect goals in a maze before time is up (Oh et al. 2017); graphs: neighbours, passages.

    The Collect domain of the Value Prediction Network, small enough for an exact oracle: the maze
    and its goals are the world's, the same in every episode, and a move goes one cell, not to the
    next branch. A goal brings 2, any other move -0.2, a move into a wall -0.5. Time left is seen,
    so that when it is up the episode ends; so it does with the last goal. Episodes begin in any
    cell without a goal, each as likely.
    """

    discount: Annotated[float, Field(gt=0, le=1)] = Field(
        0.98, description="gamma, the discount of one step"
    )
    size: MazeSize = Field(9, description="cells along a side, walls among them: odd")
    goals: Positive = Field(4, description="how many there are to collect")
    steps: Annotated[int, Field(gt=0, le=255)] = Field(12, description="moves until time is up")
    holes: Count = Field(3, description="walls taken away from a maze of one way")
    level: Count = Field(0, description="seed of the layout and of where the goals are")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        cells = len(free_cells(self._walls()))
        if self.goals >= cells:
            raise ValueError(
                f"a maze of {cells} cells has room for 1 to {cells - 1} goals, found {self.goals}"
            )
        states = cells * 2**self.goals * (self.steps + 1)
        megabytes = states * PLANES * self.size**2 // 2**20
        if megabytes > LARGEST:
            raise ValueError(
                f"size {self.size}, goals {self.goals} and steps {self.steps} make up to "
                f"{states:,} states, which take {megabytes:,} MB; allowed are {LARGEST}"
            )
        return self

    def _walls(self) -> Walls:
        return maze(self.size, self.level, self.holes)

    def _places(self) -> list[Cell]:
        """Of the goals."""
        return scattered(self._walls(), self.goals, self.level)

    def spec(self) -> EnvironmentSpec:
        bounds = (BLOCKED * self.steps, COLLECTED * self.goals)
        return self._grid(PLANES, self.steps, bounds, exact=True)

    def build(self) -> TabularWorlds:
        from workbench.environments.grids.collect_tables import Rewards, collect_tables
        from workbench.environments.tabular.tabular_environment import TabularWorlds

        rewards = Rewards(COLLECTED, STEP, BLOCKED)
        tables = collect_tables(self._walls(), self._places(), self.steps, rewards)
        return TabularWorlds(self.spec(), tables, self.discount)
