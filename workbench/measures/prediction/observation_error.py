"""Error of decoded unrolled latents against true observations."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.contracts import MeasureInfo, Planner
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.measures.prediction.metric_accumulator import MetricAccumulator, measure_info
from workbench.measures.prediction.true_latents import unique_states
from workbench.measures.prediction.unroll_sequences import unroll_sequences
from workbench.models.layers import as_input
from workbench.models.world_model import WorldModel

NAME = "observation_error"


class ObservationError:
    """Mean squared error over an observation's entries, at depth 0..K, before the true end only."""

    def __init__(self, sequences: EvaluationSet, by_source: bool = False) -> None:
        self._set = sequences
        self._source = sequences.source if by_source else None
        states, self._row = unique_states(sequences)
        self._planes = states.observation.dtype == torch.bool
        self._truth = as_input(states.observation, torch.device("cpu")).flatten(1)

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Return the metrics; for binary planes the decoder returns logits, as in training."""
        tally = self._tally()
        for k, (latent, _) in enumerate(unroll_sequences(agent, self._set)):
            decoded = agent.decode(latent).flatten(1).cpu()
            seen = decoded.sigmoid() if self._planes else decoded
            error = (seen - self._true(k)).square().mean(1)
            tally.mean(NAME, k, error, self._row[:, k] >= 0)
        return tally.readings()

    def info(self) -> MeasureInfo:
        """Return levels; the naive one is the best constant observation."""
        tally = self._tally()
        for k in range(self._row.shape[1]):
            tally.constant_baseline(NAME, k, self._true(k), self._row[:, k] >= 0)
        return measure_info(self._set, tally.counts(), tally.readings())

    def _tally(self) -> MetricAccumulator:
        return MetricAccumulator(self._source, SOURCES)

    def _true(self, k: int) -> Tensor:
        """[S, E] True observations; arbitrary past the end."""
        return self._truth[self._row[:, k]]
