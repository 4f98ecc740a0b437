"""What worlds of walls and cells have in common; light."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import AfterValidator, Field

from workbench.components import DynamicsConfig, EnvironmentConfig, Positive
from workbench.environments.games import graphs
from workbench.environments.grids.layouts import DIRECTIONS, Cell, Walls
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig
    from workbench.environments.grids.goal_environment import GoalWorlds


Count = Annotated[int, Field(ge=0)]


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError("a maze has an odd size; allowed are 5, 7, 9, ...")
    return size


MazeSize = Annotated[int, Field(ge=5, le=63), AfterValidator(_odd)]
"""What every state shows is held: of mazes up to the largest that is some 20 MB."""


class GridConfig(EnvironmentConfig):
    """One agent moves up, down, left or right between the cells of a layout; walls bar its way."""

    @abstractmethod
    def _walls(self) -> Walls:
        """The layout, [H, W]."""

    def _grid(
        self, planes: int, horizon: int, bounds: tuple[float, float], exact: bool
    ) -> EnvironmentSpec:
        """Graph `neighbours` joins all adjacent cells, `passages` those that one can stand on."""
        walls = self._walls()
        return EnvironmentSpec(
            self.component,
            (planes, *walls.shape),
            len(DIRECTIONS),
            horizon=horizon,
            bounds=bounds,
            graphs={
                "neighbours": graphs.four_neighbours(np.ones_like(walls)),
                "passages": graphs.four_neighbours(~walls),
            },
            oracle=exact,
            enumerable=exact,
        )


class GoalConfig(GridConfig):
    """A reward of 1 for reaching a goal, which ends the episode; a cut by time is no end."""

    discount: Annotated[float, Field(gt=0, le=1)] = Field(
        0.99, description="gamma, the discount of one step; below 1, the shortest way is best"
    )
    slip: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="probability that a move goes one of the three other ways, each as likely; "
        "above 0 there is no oracle",
    )
    max_steps: Positive = Field(200, description="an episode is cut after so many steps")

    @abstractmethod
    def _goal(self) -> Cell:
        """A free cell."""

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().misfits(trial)
        dynamics = getattr(trial.model, "dynamics", None)
        if self.slip > 0 and isinstance(dynamics, DynamicsConfig) and dynamics.simulator:
            yield (
                f"environment '{self.component}' with slip steps as chance has it, and dynamics "
                f"'{dynamics.component}' has no nodes for chance: set `environment.slip: 0.0`"
            )

    def spec(self) -> EnvironmentSpec:
        return self._grid(3, self.max_steps, (0.0, 1.0), exact=self.slip == 0)

    def build(self) -> GoalWorlds:
        from workbench.environments.grids.goal_environment import GoalWorlds, goal_tables

        tables = goal_tables(self._walls(), self._goal())
        return GoalWorlds(self.spec(), tables, self.discount, self.slip)
