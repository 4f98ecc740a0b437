"""Predictive accuracy against the exact solution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.measures.prediction.options import SequenceOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Measure, Parts


@register("measure", "predictive")
class Predictive(SequenceOptions):
    """Errors of value, policy, legal moves, reward and end by unroll depth, by exact answers."""

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.exact.predictive import PredictiveError
        from workbench.measures.frozen.sequences import sequences_of

        sequences = sequences_of(parts, self.positions, self.depth)
        return PredictiveError(parts.environment, sequences, self.by_source)
