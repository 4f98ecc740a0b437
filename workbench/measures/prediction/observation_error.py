"""How far what a decoder reads from imagined latents is from what would be seen."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.contracts import Facts, Planner
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.measures.prediction.metric_accumulator import Tally, facts
from workbench.measures.prediction.true_latents import visited
from workbench.measures.prediction.unroll_sequences import along
from workbench.models.layers import as_input
from workbench.models.world_model import WorldModel

NAME = "observation_error"


class ObservationError:
    """Mean square over an observation's entries, at depth 0..K, before the true end only."""

    def __init__(self, sequences: EvaluationSet, by_source: bool = False) -> None:
        self._set = sequences
        self._source = sequences.source if by_source else None
        states, self._row = visited(sequences)
        self._planes = states.observation.dtype == torch.bool
        self._truth = as_input(states.observation, torch.device("cpu")).flatten(1)

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Of planes of 0 and 1 the decoder gives the logits, as it learned to."""
        tally = self._tally()
        for k, (latent, _) in enumerate(along(agent, self._set)):
            decoded = agent.decode(latent).flatten(1).cpu()
            seen = decoded.sigmoid() if self._planes else decoded
            error = (seen - self._true(k)).square().mean(1)
            tally.mean(NAME, k, error, self._row[:, k] >= 0)
        return tally.readings()

    def facts(self) -> Facts:
        """Chance is the best constant observation."""
        tally = self._tally()
        for k in range(self._row.shape[1]):
            tally.spread(NAME, k, self._true(k), self._row[:, k] >= 0)
        return facts(self._set, tally.counts(), tally.readings())

    def _tally(self) -> Tally:
        return Tally(self._source, SOURCES)

    def _true(self, k: int) -> Tensor:
        """[S, E]; any past the end"""
        return self._truth[self._row[:, k]]
