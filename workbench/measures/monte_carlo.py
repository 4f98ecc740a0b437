"""Imagined values against what the agent's own play gains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from workbench.components import MeasureConfig, Positive
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "monte_carlo")
class MonteCarlo(MeasureConfig):
    """Error of imagined values against the return of greedy search from there; needs no oracle."""

    states: Positive = Field(64, description="states to begin from, the same in every trial")
    walk: Annotated[int, Field(ge=0)] = Field(
        20, description="most random moves from an episode's beginning to such a state"
    )
    depth: Positive = Field(5, description="greatest unroll depth, along random moves")
    max_steps: Positive = Field(
        500, description="play is cut after so many steps, and nothing is added for the rest"
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        world = trial.environment.spec()
        measure = f"measure '{self.component}'"
        if world.alternating and world.oracle:
            yield (
                f"{measure} is for worlds with one side and for games without an oracle; of "
                f"environment '{trial.environment.component}' measure 'predictive' knows the values"
            )
        if not world.copyable or world.chance or world.agents != 1:
            yield (
                f"{measure} plays on from given states, with one agent and no chance; environment "
                f"'{trial.environment.component}' does not allow that"
            )

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.prediction.return_error import ReturnError, random_walks

        walks = random_walks(parts.environment, self.states, self.walk, self.depth)
        return ReturnError(parts.environment, walks, self.max_steps)
