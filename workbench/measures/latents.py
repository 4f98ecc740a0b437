"""Measure `latents`: information about the true state in unrolled latents."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench.components import Positive
from workbench.measures.prediction.sequence_options import SequenceOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Measure, TrialParts


@register("measure", "latents")
class Latents(SequenceOptions):
    """Distance and rank of the true state's latent, and probes that read the true state."""

    version: ClassVar[int] = 2

    samples: Positive = Field(
        1000, description="number of unrolled latents per depth that are ranked among the true ones"
    )

    @override
    def build(self, parts: TrialParts) -> Measure:
        from workbench.measures.evaluation_sets.sequences import sequences_of
        from workbench.measures.prediction.latent_accuracy import LatentAccuracy

        sequences = sequences_of(parts, self.positions, self.depth)
        return LatentAccuracy(sequences, self.samples, self.by_source)
