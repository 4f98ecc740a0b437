"""What a model's latents know of the true state, by depth of imagination."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from workbench.contracts import Facts, Planner
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.measures.prediction.metric_accumulator import Tally, facts
from workbench.measures.prediction.probes import PROBES, SEED
from workbench.measures.prediction.ranking import by_chance, ranks, scores
from workbench.measures.prediction.true_latents import distance_apart, flat, visited
from workbench.measures.prediction.unroll_sequences import along
from workbench.models.layers import as_input
from workbench.models.world_model import WorldModel
from workbench.randomness import seed_of

READ = 2_000
"""Entries of an observation that are read at most, the same by all trials: a screen has 27,648."""


class LatentAccuracy:
    """Latent error from depth 1 on, ranks and decodability from 0 on, before the true end only."""

    def __init__(self, sequences: EvaluationSet, cases: int, by_source: bool = False) -> None:
        """At most `cases` imagined latents a depth are ranked."""
        self._set, self._cases = sequences, cases
        self._source = sequences.source if by_source else None
        self._states, self._row = visited(sequences)
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
        # In that order, by which what is fitted to them has always been told apart.
        place = order.argsort()[group]
        self._fitted = place.argsort(stable=True)[: int((~self._held_out).sum())]

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Where all states are encoded alike, the latent error is None."""
        code = flat(agent, self._states.encode(agent))
        apart = distance_apart(code)
        examples = code[self._fitted], self._truth[self._fitted]
        probes = {name: fit(*examples) for name, fit in PROBES.items()}
        tally = Tally(self._source, SOURCES)
        for k, (latent, _) in enumerate(along(agent, self._set)):
            imagined, row = flat(agent, latent), self._row[:, k]
            if k:
                error = (imagined - code[row]).double().square().sum(1) / (apart or 1.0)
                tally.mean("latent_error", k, error, row >= 0)
            self._rank(tally, k, imagined, code)
            read = self._read(k)
            for name, probe in probes.items():
                found = torch.zeros(len(row), self._truth.shape[1])
                found[read] = probe(imagined[read])
                tally.explained(f"decodable_{name}", k, found, self._truth[row], read)
        readings = tally.readings()
        if apart is None:
            readings |= {name: None for name in readings if "/latent_error" in name}
        return readings

    def facts(self) -> Facts:
        """Chance is another state's latent, a random order, the mean observation."""
        tally = Tally(self._source, SOURCES)
        count = len(self._set.action)
        for k in range(self._row.shape[1]):
            if k:
                tally.mean("latent_error", k, torch.ones(count), self._row[:, k] >= 0)
            ranked = self._ranked[k]
            for name, score in by_chance(len(torch.unique(self._row[ranked, k]))).items():
                tally.mean(
                    name, k, torch.full((count,), score, dtype=torch.float64), _mask(ranked, count)
                )
            for name in PROBES:
                tally.mean(f"decodable_{name}", k, torch.zeros(count), self._read(k))
        return facts(self._set, tally.counts(), tally.readings())

    def _sample(self, k: int) -> Tensor:
        """The sequences that are ranked at depth k. [<= cases] int64, ascending"""
        alive = (self._row[:, k] >= 0).nonzero().flatten()
        order = torch.randperm(len(alive), generator=_stream(f"ranked/{k}"))
        return alive[order[: self._cases]].sort().values

    def _read(self, k: int) -> Tensor:
        """[S] bool, where the true state is one that the probes were not fitted to."""
        row = self._row[:, k]
        return (row >= 0) & self._held_out[row]

    def _rank(self, tally: Tally, k: int, imagined: Tensor, code: Tensor) -> None:
        """Among the true states of the sample, each of which is one candidate."""
        rows = self._ranked[k]
        candidates, true = torch.unique(self._row[rows, k], return_inverse=True)
        rank = ranks(imagined[rows], code[candidates], true)
        for name, score in scores(rank).items():
            values = torch.zeros(len(imagined), dtype=score.dtype)
            values[rows] = score
            tally.mean(name, k, values, _mask(rows, len(imagined)))


def _groups(sequences: EvaluationSet, row: Tensor, states: int) -> Tensor:
    """[N] which half of the states each is in is drawn by: those of one game stay together.

    What lies a move apart looks nearly the same, and to have been fitted to it would count as
    knowledge. Where each sequence goes on from a position of its own, every state is a group.
    """
    if bool((sequences.game < 0).all()):
        return torch.arange(states)
    game = sequences.game[:, None].expand(row.shape)[row >= 0]
    nowhere = torch.full((states,), int(game.max()))
    first = nowhere.scatter_reduce(0, row[row >= 0], game, "amin")  # of several games
    group: Tensor = torch.unique(first, return_inverse=True)[1]
    return group


def _mask(rows: Tensor, count: int) -> Tensor:
    mask = torch.zeros(count, dtype=torch.bool)
    mask[rows] = True
    return mask


def _stream(name: str) -> Generator:
    return Generator().manual_seed(seed_of(SEED, name))
