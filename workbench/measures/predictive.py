"""Predictive accuracy against the exact solution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from pydantic import Field

from workbench.components import MeasureConfig, Positive
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "predictive")
class Predictive(MeasureConfig):
    """Error of value, policy, reward and termination by unroll depth, against exact answers."""

    depth: Positive = Field(5, description="greatest unroll depth")

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        if not trial.environment.spec().oracle:
            yield (
                f"measure 'predictive' needs exact answers; environment "
                f"'{trial.environment.component}' has no oracle"
            )

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.exact.predictive import PredictiveError
        from workbench.types import SolvedEnvironment

        return PredictiveError(cast(SolvedEnvironment, parts.environment), self.depth)
