"""Whether a model knows that the order of moves can be indifferent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from workbench.components import MeasureConfig, Positive
from workbench.measures.prediction.sequence_options import sequence_misfits
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "transpositions")
class Transpositions(MeasureConfig):
    """How far apart two orders of the same moves end in imagination, where the world's do not."""

    pairs: Positive = Field(500, description="pairs of lines, at most")
    positions: Positive = Field(
        200,
        description="positions of a frozen set, where there are too many to list; without an "
        "oracle, of each kind of play",
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        world = trial.environment.spec()
        if world.oracle or (world.alternating and world.copyable):
            yield from sequence_misfits(self, trial.environment)
        else:  # nothing says that lines which meet again are to be found
            yield (
                "measure 'transpositions' needs exact answers, or a game of two whose states can "
                f"be copied; environment '{trial.environment.component}' as configured is neither"
            )
        if world.shows_past:
            yield (
                "measure 'transpositions' looks for orders of moves that end in the same "
                f"observation; environment '{trial.environment.component}' as configured shows the "
                "past too"
            )

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.evaluation_sets.sequences import positions_of
        from workbench.measures.prediction.transposition_gap import TranspositionGap

        return TranspositionGap(parts.environment, positions_of(parts, self.positions), self.pairs)
