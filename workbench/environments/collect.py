"""The Collect environment: goals in a maze and a time limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator
from typing_extensions import override

from workbench.components import Positive
from workbench.environments.grids.grid_config import GridConfig, MazeSize, NonNegativeInt
from workbench.environments.grids.layouts import Cell, Walls, free_cells, maze, random_cells
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.environments.tabular.tabular_environment import TabularEnvironment

COLLECTED, STEP, BLOCKED = 2.0, -0.2, -0.5
"""Rewards for reaching a goal, another cell, or a wall (as in the code of the paper)."""
PLANES = 4
"""Number of observation planes."""
MAX_MEGABYTES = 256
"""Maximum size of the stored observations of all states."""


@register("environment", "collect")
class Collect(GridConfig):
    """Collect goals in a maze in limited time (Oh et al. 2017); graphs: neighbours, passages.

    This is the Collect domain of the Value Prediction Network, small enough for an exact oracle.
    The maze and its goals are the same in every episode. An action moves one cell, not to the next
    junction. The reward is 2 for a goal, -0.5 for hitting a wall, and -0.2 for any other action.
    The remaining time is observed, so the episode terminates when it runs out, or with the last
    goal. The initial cell is drawn uniformly from the cells without a goal.
    """

    discount: Annotated[float, Field(gt=0, le=1)] = Field(
        0.98, description="gamma, discount factor per step"
    )
    size: MazeSize = Field(9, description="side of the maze in cells, including walls; odd")
    goals: Positive = Field(4, description="number of goals")
    steps: Annotated[int, Field(gt=0, le=255)] = Field(
        12, description="number of steps until the episode terminates"
    )
    holes: NonNegativeInt = Field(
        3, description="number of walls removed from the maze, each adds a cycle"
    )
    level: NonNegativeInt = Field(0, description="seed of the layout and of the goal positions")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        cells = len(free_cells(self._walls()))
        if self.goals >= cells:
            raise ValueError(
                f"a maze of {cells} cells has room for 1 to {cells - 1} goals, found {self.goals}"
            )
        states = cells * 2**self.goals * (self.steps + 1)
        megabytes = states * PLANES * self.size**2 // 2**20
        if megabytes > MAX_MEGABYTES:
            raise ValueError(
                f"size {self.size}, goals {self.goals} and steps {self.steps} make up to "
                f"{states:,} states, whose observations take {megabytes:,} MB; allowed are "
                f"{MAX_MEGABYTES}, so decrease one of them"
            )
        return self

    @override
    def _walls(self) -> Walls:
        return maze(self.size, self.level, self.holes)

    def _goals(self) -> list[Cell]:
        """Return the cells of the goals."""
        return random_cells(self._walls(), self.goals, self.level)

    @override
    def spec(self) -> EnvironmentSpec:
        bounds = (BLOCKED * self.steps, COLLECTED * self.goals)
        return self._grid(PLANES, self.steps, bounds, (BLOCKED, COLLECTED), exact=True)

    @override
    def build(self) -> TabularEnvironment:
        from workbench.environments.grids.collect_tables import Rewards, collect_tables
        from workbench.environments.tabular.tabular_environment import TabularEnvironment

        rewards = Rewards(COLLECTED, STEP, BLOCKED)
        tables = collect_tables(self._walls(), self._goals(), self.steps, rewards)
        return TabularEnvironment(self.spec(), tables, self.discount)
