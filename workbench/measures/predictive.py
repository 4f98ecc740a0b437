"""Predictive accuracy against the exact solution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from pydantic import Field

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.needs import oracle_misfits, twice_unrolled
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "predictive")
class Predictive(MeasureConfig):
    """Errors of value, policy, legal moves, reward and end by unroll depth, by exact answers."""

    depth: Positive = Field(5, description="greatest unroll depth")
    positions: Positive = Field(
        200, description="positions to begin from, where there are too many to begin from all"
    )

    by_source: bool = Field(
        False, description="whether moves of learners, of chance and of perfect play are told apart"
    )

    @classmethod
    def thorough(cls, trial: TrialConfig) -> Self:
        return cls(depth=twice_unrolled(trial), by_source=True)

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from oracle_misfits(self, trial.environment)

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.exact.predictive import PredictiveError
        from workbench.measures.frozen.sequences import sequences_of

        sequences = sequences_of(parts, self.positions, self.depth)
        return PredictiveError(parts.environment, sequences, self.by_source)
