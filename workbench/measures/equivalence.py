"""What imagined moves are worth to the agent, beside the real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.measures.prediction.sequence_options import SequenceOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Measure, Parts


@register("measure", "equivalence")
class Equivalence(SequenceOptions):
    """Errors of imagined k-step returns, and of values against those one imagined step on."""

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.evaluation_sets.sequences import sequences_of
        from workbench.measures.prediction.equivalence_error import EquivalenceError

        sequences = sequences_of(parts, self.positions, self.depth)
        cut = getattr(parts.config.planner, "use_predicted_termination", False)
        return EquivalenceError(sequences, cut, self.by_source)
