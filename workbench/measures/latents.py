"""What is left of the true state in imagined latents."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from workbench.components import Positive
from workbench.measures.prediction.sequence_options import SequenceOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Measure, Parts


@register("measure", "latents")
class Latents(SequenceOptions):
    """Distance and rank of the true state's latent to the imagined, and what can be read of it."""

    version: ClassVar[int] = 2

    cases: Positive = Field(
        1000, description="imagined latents that are ranked at a depth, among the true ones"
    )

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.evaluation_sets.sequences import sequences_of
        from workbench.measures.prediction.latent_accuracy import LatentAccuracy

        sequences = sequences_of(parts, self.positions, self.depth)
        return LatentAccuracy(sequences, self.cases, self.by_source)
