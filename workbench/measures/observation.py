"""What the decoder sees in imagined latents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workbench.measures.prediction.sequence_options import SequenceOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "observation")
class Observation(SequenceOptions):
    """Square error of the observation that the model's own decoder reads from imagined latents."""

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().misfits(trial)
        if "observation" not in trial.model.spec(trial.environment.spec()).heads:
            yield (
                f"measure 'observation' needs a decoder; model '{trial.model.component}' as "
                "configured has none"
            )

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.evaluation_sets.sequences import sequences_of
        from workbench.measures.prediction.observation_error import ObservationError

        sequences = sequences_of(parts, self.positions, self.depth)
        return ObservationError(sequences, self.by_source)
