"""Predictive accuracy along real moves, and against the exact solution where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.measures.prediction.sequence_options import SequenceOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Measure, Parts


@register("measure", "predictive")
class Predictive(SequenceOptions):
    """Errors of reward, end and legal moves by unroll depth; of value and policy by an oracle."""

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.evaluation_sets.sequences import sequences_of
        from workbench.measures.prediction.predictive_error import PredictiveError

        sequences = sequences_of(parts, self.positions, self.depth)
        return PredictiveError(sequences, self.by_source)
