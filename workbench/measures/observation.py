"""Measure `observation`: what the decoder reads from unrolled latents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from typing_extensions import override

from workbench.measures.prediction.sequence_options import SequenceOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, TrialParts


@register("measure", "observation")
class Observation(SequenceOptions):
    """Squared error of the observation that the model's decoder reads from unrolled latents."""

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().incompatibilities(trial)
        if "observation" not in trial.model.spec(trial.environment.spec()).heads:
            yield (
                f"measure 'observation' needs a decoder; model '{trial.model.component}' as "
                "configured has none"
            )

    @override
    def build(self, parts: TrialParts) -> Measure:
        from workbench.measures.evaluation_sets.sequences import sequences_of
        from workbench.measures.prediction.observation_error import ObservationError

        sequences = sequences_of(parts, self.positions, self.depth)
        return ObservationError(sequences, self.by_source)
