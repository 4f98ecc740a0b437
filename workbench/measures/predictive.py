"""Measure `predictive`: accuracy along real actions, with an oracle against exact values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from workbench.measures.prediction.sequence_options import SequenceOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Measure, TrialParts


@register("measure", "predictive")
class Predictive(SequenceOptions):
    """Errors of reward, termination and legal actions by unroll depth.

    With an oracle, of value and policy too.
    """

    @override
    def build(self, parts: TrialParts) -> Measure:
        from workbench.measures.evaluation_sets.sequences import sequences_of
        from workbench.measures.prediction.predictive_error import PredictiveError

        sequences = sequences_of(parts, self.positions, self.depth)
        return PredictiveError(sequences, self.by_source)
