"""Measure `transpositions`: whether a model knows that action order can be irrelevant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field
from typing_extensions import override

from workbench.components import MeasureConfig, Positive
from workbench.measures.prediction.sequence_options import sequence_incompatibilities
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, TrialParts


@register("measure", "transpositions")
class Transpositions(MeasureConfig):
    """Distance of the latents after two orders of the same actions that reach one state."""

    pairs: Positive = Field(500, description="maximum number of pairs of lines")
    positions: Positive = Field(
        200,
        description="number of evaluation positions, if there are too many to list; without "
        "an oracle, of each kind of play",
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        spec = trial.environment.spec()
        if spec.oracle or (spec.alternating and spec.cloneable):
            yield from sequence_incompatibilities(self, trial.environment)
        else:  # such lines are not guaranteed to exist
            yield (
                "measure 'transpositions' needs exact answers, or a two-player game with cloneable "
                f"states; environment '{trial.environment.component}' as configured has neither"
            )
        if spec.observes_history:
            yield (
                "measure 'transpositions' looks for action orders that end in the same "
                f"observation; environment '{trial.environment.component}' as configured observes "
                "its history too"
            )

    @override
    def build(self, parts: TrialParts) -> Measure:
        from workbench.measures.evaluation_sets.sequences import positions_of
        from workbench.measures.prediction.transposition_gap import TranspositionGap

        return TranspositionGap(parts.environment, positions_of(parts, self.positions), self.pairs)
