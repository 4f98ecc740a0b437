"""Measure `monte_carlo`: predicted values against returns of the agent's own play."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import override

from workbench.components import Count, MeasureConfig, Positive
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, TrialParts


@register("measure", "monte_carlo")
class MonteCarlo(MeasureConfig):
    """Error of predicted values against the return of greedy search; needs no oracle."""

    states: Positive = Field(64, description="number of start states, the same for all trials")
    walk_length: Annotated[int, Field(ge=0, le=100_000)] = Field(
        20,
        description="maximum number of random actions from the start of an episode to such a state",
    )
    depth: Count = Field(5, description="greatest unroll depth, along random actions")
    max_steps: Positive = Field(
        500, description="number of steps after which play is truncated, without a bootstrap value"
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        spec = trial.environment.spec()
        measure = f"measure '{self.component}'"
        if spec.alternating and spec.oracle:
            yield (
                f"{measure} is for single-agent environments and for games without an oracle; for "
                f"environment '{trial.environment.component}' use measure 'predictive'"
            )
        if not spec.cloneable or spec.chance or spec.agents != 1:
            yield (
                f"{measure} plays from given states, with one agent, without chance; environment "
                f"'{trial.environment.component}' does not allow that"
            )

    @override
    def build(self, parts: TrialParts) -> Measure:
        from workbench.measures.prediction.return_error import ReturnError, random_walks

        walks = random_walks(parts.environment, self.states, self.walk_length, self.depth)
        return ReturnError(parts.environment, walks, self.max_steps)
