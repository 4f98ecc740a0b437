"""The selection rules of PUCT and Gumbel MuZero for the reference search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Generator, Tensor
from typing_extensions import override

from workbench.planning.tree.reference import SearchTree, SelectionRule
from workbench.planning.tree.sequential_halving import considered_table
from workbench.randomness import numpy_generator

Normalisation = Literal["min_max", "bounds", "none"]


def scale(q: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Scale `q` [B, W] to (q - low) / (high - low) with bounds [B]; 0 if the range is empty."""
    span = high - low
    known = (span > 0) & span.isfinite()
    scaled = (q - low[:, None]) / span.where(known, 1.0)[:, None]
    return scaled.where(known[:, None], 0.0)


@dataclass
class PUCTRule(SelectionRule):
    """MuZero's rule (Schrittwieser et al. 2020, appendix B).

    Q(s, a) + P(s, a) sqrt(n) / (1 + N(s, a)) (c1 + log((n + c2 + 1) / c2)), where n counts the
    visits of s with its own evaluation.
    """

    c1: float = 1.25
    c2: float = 19652.0
    normalisation: Normalisation = "min_max"
    unvisited_parent: bool = False
    """Whether an unvisited action counts as its parent's value, and not as 0 after scaling."""
    bounds: tuple[float, float] = (0.0, 1.0)
    dirichlet_alpha: float = 0.3
    noise_fraction: float = 0.0

    @override
    def begin(self, tree: SearchTree, generator: Generator, explore: bool) -> None:
        if not explore or self.noise_fraction == 0:
            return
        prior = tree.log_prior[:, 0].exp()
        legal = (prior > 0).numpy()
        gamma = numpy_generator(generator).standard_gamma(self.dirichlet_alpha, legal.shape) * legal
        noise = torch.from_numpy(gamma / gamma.sum(1, keepdims=True))
        mixed = (1 - self.noise_fraction) * prior + self.noise_fraction * noise
        tree.log_prior[:, 0] = mixed.where(prior > 0, 0.0).log()

    @override
    def score(self, tree: SearchTree, node: Tensor) -> Tensor:
        rows, n = tree.rows, tree.node_visits(node)[:, None]
        visits, q = tree.visits[rows, node], tree.q[rows, node]
        if self.unvisited_parent:
            q = q.where(visits > 0, tree.value[rows, node, None])
        scaled = self._scaled(tree, q)
        if not self.unvisited_parent:
            scaled = scaled.where(visits > 0, 0.0)
        exploration = n.sqrt() * (self.c1 + ((n + self.c2 + 1) / self.c2).log())
        return scaled + tree.log_prior[rows, node].exp() * exploration / (1 + visits)

    def _scaled(self, tree: SearchTree, q: Tensor) -> Tensor:
        if self.normalisation == "none":
            return q
        if self.normalisation == "min_max":
            return scale(q, tree.low, tree.high)
        low, high = (torch.full_like(tree.low, bound) for bound in self.bounds)
        return scale(q, low, high)


@dataclass
class GumbelRule(SelectionRule):
    """Gumbel MuZero's rule (Danihelka et al. 2022).

    At the root, sequential halving by g + logits + sigma(completed Q); below it
    argmax pi'(a) - N(a) / (1 + n) with pi' = softmax(logits + sigma(completed Q)).
    """

    simulations: int
    max_considered: int = 16
    c_visit: float = 50.0
    c_scale: float = 0.1
    normalisation: Normalisation = "min_max"
    bounds: tuple[float, float] = (0.0, 1.0)
    noise: Tensor = field(default_factory=lambda: torch.zeros(1, 1, dtype=torch.float64))

    @override
    def begin(self, tree: SearchTree, generator: Generator, explore: bool) -> None:
        batch, _, width = tree.log_prior.shape
        self.noise = torch.zeros(batch, width, dtype=torch.float64)
        if explore:
            self.noise = torch.from_numpy(numpy_generator(generator).gumbel(size=(batch, width)))
        legal = (tree.log_prior[:, 0] > -torch.inf).sum(-1)
        table = torch.from_numpy(considered_table(self.max_considered, self.simulations))
        self._due = table[legal.clamp(max=self.max_considered)]  # [B, N]

    @override
    def root_score(self, tree: SearchTree, simulation: int) -> Tensor:
        return self._root_score(tree, self._due[:, simulation])

    def _root_score(self, tree: SearchTree, due_visits: Tensor) -> Tensor:
        """Score the root's actions that have been visited `due_visits` [B] times."""
        root = torch.zeros(len(tree.depth), dtype=torch.int64)
        score = self.noise + tree.log_prior[:, 0] + self._sigma(tree, root)
        return score.masked_fill(tree.visits[:, 0] != due_visits[:, None], -torch.inf)

    @override
    def score(self, tree: SearchTree, node: Tensor) -> Tensor:
        visits = tree.visits[tree.rows, node]
        return self._improved(tree, node) - visits / (1 + visits.sum(-1, keepdim=True))

    @override
    def policy(self, tree: SearchTree) -> Tensor:
        return self._improved(tree, torch.zeros(len(tree.depth), dtype=torch.int64))

    @override
    def completed_q(self, tree: SearchTree) -> Tensor:
        return self._completed(tree, torch.zeros(len(tree.depth), dtype=torch.int64))

    @override
    def action(self, tree: SearchTree) -> Tensor:
        return self._root_score(tree, tree.visits[:, 0].amax(-1)).argmax(-1)

    def _improved(self, tree: SearchTree, node: Tensor) -> Tensor:
        """[B, W] pi' = softmax(logits + sigma(completed Q)) (eq. 11)."""
        return (tree.log_prior[tree.rows, node] + self._sigma(tree, node)).softmax(-1)

    def _completed(self, tree: SearchTree, node: Tensor) -> Tensor:
        """[B, W] Q of visited actions and v_mix of the others (appendix D).

        v_mix = (v + n sum_b pi(b) q(b) / sum_b pi(b)) / (1 + n), over visited actions b.
        """
        rows = tree.rows
        visits, q = tree.visits[rows, node], tree.q[rows, node]
        n = visits.sum(-1)
        prior = tree.log_prior[rows, node].exp().where(visits > 0, 0.0)
        mean = (prior * q).sum(-1) / prior.sum(-1).where(n > 0, 1.0)
        mixed = (tree.raw_value[rows, node] + n * mean) / (1 + n)
        return q.where(visits > 0, mixed[:, None])

    def _sigma(self, tree: SearchTree, node: Tensor) -> Tensor:
        """[B, W] sigma(q) = (c_visit + max_b N(b)) c_scale q, with q scaled (eq. 8)."""
        completed, visits = self._completed(tree, node), tree.visits[tree.rows, node]
        open_actions = tree.log_prior[tree.rows, node] > -torch.inf
        low, high = torch.zeros(len(node)), torch.ones(len(node))
        if self.normalisation == "min_max":
            low = completed.where(open_actions, torch.inf).amin(-1)
            high = torch.maximum(completed.where(open_actions, -torch.inf).amax(-1), low + 1e-8)
        elif self.normalisation == "bounds":
            low, high = low + self.bounds[0], high * self.bounds[1]
        factor = (self.c_visit + visits.amax(-1, keepdim=True)) * self.c_scale
        return factor * (completed - low[:, None]) / (high - low)[:, None]
