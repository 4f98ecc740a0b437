"""Accuracy of a model's latents by unroll depth: distance, rank and probes."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from workbench.contracts import MeasureInfo, Planner
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.measures.prediction.metric_accumulator import MetricAccumulator, measure_info
from workbench.measures.prediction.probes import PROBES, SEED
from workbench.measures.prediction.ranking import random_scores, ranks, scores
from workbench.measures.prediction.true_latents import (
    flatten_latent,
    mean_pair_distance,
    unique_states,
)
from workbench.measures.prediction.unroll_sequences import unroll_sequences
from workbench.models.layers import as_input
from workbench.models.world_model import WorldModel
from workbench.randomness import derive_seed

READ = 2_000
"""Maximum number of observation entries that probes read, the same for all trials;

a screen has 27,648.
"""


class LatentAccuracy:
    """Latent error from depth 1, ranks and probes from depth 0, before the true end only."""

    def __init__(self, sequences: EvaluationSet, cases: int, by_source: bool = False) -> None:
        """At most `cases` unrolled latents per depth are ranked."""
        self._set, self._cases = sequences, cases
        self._source = sequences.source if by_source else None
        self._states, self._row = unique_states(sequences)
        seen = self._states.observation.flatten(1)
        if seen.shape[1] > READ:
            drawn = torch.randperm(seen.shape[1], generator=_stream("entries"))[:READ]
            seen = seen[:, drawn.sort().values]
        self._truth = as_input(seen, torch.device("cpu"))
        self._ranked = [self._sample(k) for k in range(self._row.shape[1])]
        group = _groups(sequences, self._row, len(self._states))
        order = torch.randperm(int(group.max()) + 1, generator=_stream("halves"))
        fitted = torch.zeros(len(order), dtype=torch.bool)
        fitted[order[: (len(order) + 1) // 2]] = True
        self._held_out = ~fitted[group]
        # This order defines the split to which the probes have always been fitted.
        place = order.argsort()[group]
        self._fitted = place.argsort(stable=True)[: int((~self._held_out).sum())]

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Return the metrics; the latent error is None if all states are encoded alike."""
        code = flatten_latent(agent, self._states.encode(agent))
        apart = mean_pair_distance(code)
        examples = code[self._fitted], self._truth[self._fitted]
        probes = {name: fit(*examples) for name, fit in PROBES.items()}
        tally = MetricAccumulator(self._source, SOURCES)
        for k, (latent, _) in enumerate(unroll_sequences(agent, self._set)):
            imagined, row = flatten_latent(agent, latent), self._row[:, k]
            if k:
                error = (imagined - code[row]).double().square().sum(1) / (apart or 1.0)
                tally.mean("latent_error", k, error, row >= 0)
            self._rank(tally, k, imagined, code)
            read = self._read(k)
            for name, probe in probes.items():
                found = torch.zeros(len(row), self._truth.shape[1])
                found[read] = probe(imagined[read])
                tally.r2(f"probe_r2_{name}", k, found, self._truth[row], read)
        readings = tally.readings()
        if apart is None:
            readings |= {name: None for name in readings if "/latent_error" in name}
        return readings

    def info(self) -> MeasureInfo:
        """Return levels; naive: another state's latent, a random order, the mean observation."""
        tally = MetricAccumulator(self._source, SOURCES)
        count = len(self._set.action)
        for k in range(self._row.shape[1]):
            if k:
                tally.mean("latent_error", k, torch.ones(count), self._row[:, k] >= 0)
            ranked = self._ranked[k]
            for name, score in random_scores(len(torch.unique(self._row[ranked, k]))).items():
                tally.mean(
                    name,
                    k,
                    torch.full((count,), score, dtype=torch.float64),
                    _group_mask(ranked, count),
                )
            for name in PROBES:
                tally.mean(f"probe_r2_{name}", k, torch.zeros(count), self._read(k))
        return measure_info(self._set, tally.counts(), tally.readings())

    def _sample(self, k: int) -> Tensor:
        """[<= cases] int64, ascending: the sequences that are ranked at depth k."""
        alive = (self._row[:, k] >= 0).nonzero().flatten()
        order = torch.randperm(len(alive), generator=_stream(f"ranked/{k}"))
        return alive[order[: self._cases]].sort().values

    def _read(self, k: int) -> Tensor:
        """[S] bool mask of states that the probes were not fitted to."""
        row = self._row[:, k]
        return (row >= 0) & self._held_out[row]

    def _rank(self, tally: MetricAccumulator, k: int, imagined: Tensor, code: Tensor) -> None:
        """Rank among the true states of the sample, each of which is one candidate."""
        rows = self._ranked[k]
        candidates, true = torch.unique(self._row[rows, k], return_inverse=True)
        rank = ranks(imagined[rows], code[candidates], true)
        for name, score in scores(rank).items():
            values = torch.zeros(len(imagined), dtype=score.dtype)
            values[rows] = score
            tally.mean(name, k, values, _group_mask(rows, len(imagined)))


def _groups(sequences: EvaluationSet, row: Tensor, states: int) -> Tensor:
    """[N] group id of each state for the train/held-out split.

    States of one game share a group, so that near-duplicates do not leak. If each sequence starts
    from a position of its own, every state is a group.
    """
    if bool((sequences.game < 0).all()):
        return torch.arange(states)
    game = sequences.game[:, None].expand(row.shape)[row >= 0]
    nowhere = torch.full((states,), int(game.max()))
    first = nowhere.scatter_reduce(
        0, row[row >= 0], game, "amin"
    )  # for states of several games, the first
    group: Tensor = torch.unique(first, return_inverse=True)[1]
    return group


def _group_mask(rows: Tensor, count: int) -> Tensor:
    mask = torch.zeros(count, dtype=torch.bool)
    mask[rows] = True
    return mask


def _stream(name: str) -> Generator:
    return Generator().manual_seed(derive_seed(SEED, name))
