"""Options of the measures that play matches, and their requirements. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from workbench.components import EnvironmentConfig, MeasureConfig, Positive
from workbench.metrics import TreeSearch


class MatchOptions(MeasureConfig):
    """Measure that plays two-player games against fixed opponents."""

    games: Annotated[int, Field(gt=0, le=1_000_000, multiple_of=2)] = Field(
        100,
        description="number of games against each opponent; every opening is played from both "
        "sides",
    )
    opening_moves: Positive = Field(
        2, description="number of random moves before a game, the same for all trials"
    )
    mcts_rollouts: list[TreeSearch] = Field(
        default_factory=list,
        description="opponents besides random moves: MCTS with these numbers of rollouts per move",
    )
    oracle: bool = Field(False, description="whether a perfect player is an opponent")
    prior: bool = Field(True, description="whether the prior alone plays too")

    def unplayable(self, environment: EnvironmentConfig) -> Iterator[str]:
        """Yield the reasons why matches cannot be played in an environment."""
        spec, measure = environment.spec(), f"measure '{self.component}'"
        if not spec.alternating:
            yield (
                f"{measure} needs a two-player game, but environment '{environment.component}' has "
                "one agent; use measure 'returns'"
            )
        if not spec.cloneable:
            yield (
                f"{measure} starts games from given states, but states of environment "
                f"'{environment.component}' cannot be restored"
            )
        if self.oracle and not spec.oracle:
            yield (
                f"{measure} with perfect play: environment '{environment.component}' as configured "
                "has no oracle; set `oracle: false`"
            )
        if spec.horizon is not None and self.opening_moves >= spec.horizon:
            yield (
                f"{measure} with opening_moves {self.opening_moves}: a game of environment "
                f"'{environment.component}' has at most {spec.horizon}"
            )
