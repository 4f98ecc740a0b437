"""Measure `equivalence`: predicted against true returns, with the agent's own value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from workbench.measures.prediction.sequence_options import SequenceOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Measure, TrialParts


@register("measure", "equivalence")
class Equivalence(SequenceOptions):
    """Errors of predicted k-step returns, and of values against those one unrolled step later."""

    @override
    def build(self, parts: TrialParts) -> Measure:
        from workbench.measures.evaluation_sets.sequences import sequences_of
        from workbench.measures.prediction.equivalence_error import EquivalenceError

        sequences = sequences_of(parts, self.positions, self.depth)
        cut = getattr(parts.config.planner, "use_predicted_termination", False)
        return EquivalenceError(sequences, cut, self.by_source)
