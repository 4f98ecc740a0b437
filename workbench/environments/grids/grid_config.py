"""Base configurations of the grid environments; imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field
from typing_extensions import override

from workbench.components import DynamicsConfig, EnvironmentConfig, Positive
from workbench.environments.games import graphs
from workbench.environments.grids.layouts import DIRECTIONS, Cell, Walls
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig
    from workbench.environments.grids.goal_environment import GoalEnvironment


NonNegativeInt = Annotated[int, Field(ge=0)]


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"a maze has an odd size, found {size}; allowed are 5, 7, 9, ...")
    return size


MazeSize = Annotated[int, Field(ge=5, le=63), AfterValidator(_odd)]
"""Odd side of a maze. All observations are stored, about 20 MB for the largest maze."""


class GridConfig(EnvironmentConfig):
    """An agent that moves up, down, left or right between the free cells of a layout."""

    @abstractmethod
    def _walls(self) -> Walls:
        """Return the walls of the layout, [H, W]."""

    def _grid(
        self,
        planes: int,
        horizon: int,
        bounds: tuple[float, float],
        reward_bounds: tuple[float, float],
        exact: bool,
    ) -> EnvironmentSpec:
        """Return the specification.

        Graph `neighbours` connects all adjacent cells; `passages` connects adjacent free cells.
        """
        import numpy as np

        walls = self._walls()
        return EnvironmentSpec(
            self.component,
            (planes, *walls.shape),
            len(DIRECTIONS),
            horizon=horizon,
            bounds=bounds,
            reward_bounds=reward_bounds,
            graphs={
                "neighbours": graphs.four_neighbours(np.ones_like(walls)),
                "passages": graphs.four_neighbours(~walls),
            },
            oracle=exact,
            enumerable=exact,
        )


class GoalConfig(GridConfig):
    """A grid with one goal: reward 1 and termination at the goal, truncation at the time limit."""

    discount: Annotated[float, Field(gt=0, le=1)] = Field(
        0.99,
        description="gamma, discount factor per step; below 1 the shortest path is optimal",
    )
    slip: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="probability that one of the three other actions is executed, drawn uniformly; "
        "above 0 there is no oracle",
    )
    max_steps: Positive = Field(
        200, description="maximum number of steps per episode; longer ones are truncated"
    )

    @abstractmethod
    def _goal(self) -> Cell:
        """Return the goal, a free cell."""

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().incompatibilities(trial)
        dynamics = getattr(trial.model, "dynamics", None)
        if self.slip > 0 and isinstance(dynamics, DynamicsConfig) and dynamics.simulator:
            yield (
                f"environment '{self.component}' with slip is stochastic, but dynamics "
                f"'{dynamics.component}' has no chance nodes; set `environment.slip: 0.0`"
            )

    @override
    def spec(self) -> EnvironmentSpec:
        return self._grid(3, self.max_steps, (0.0, 1.0), (0.0, 1.0), exact=self.slip == 0)

    @override
    def build(self) -> GoalEnvironment:
        from workbench.environments.grids.goal_environment import GoalEnvironment, goal_tables

        tables = goal_tables(self._walls(), self._goal())
        return GoalEnvironment(self.spec(), tables, self.discount, self.slip)
