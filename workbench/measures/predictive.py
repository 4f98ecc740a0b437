"""Predictive accuracy against the exact solution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.needs import oracle_misfits
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "predictive")
class Predictive(MeasureConfig):
    """Error of value, policy, reward and termination by unroll depth, against exact answers."""

    depth: Positive = Field(5, description="greatest unroll depth")
    positions: Positive = Field(
        300, description="positions to begin from, where there are too many to begin from all"
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from oracle_misfits(self, trial.environment)

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.exact.evaluation_set import evaluation_set
        from workbench.measures.exact.predictive import PredictiveError
        from workbench.measures.frozen.sequences import kept_sequences

        world: Any = parts.environment
        sequences = (
            evaluation_set(world, world.positions(), self.depth)
            if world.spec.enumerable
            else kept_sequences(parts.config.environment, world, self.positions, self.depth)
        )
        return PredictiveError(world, sequences)
