"""What makes a tree search PUCT: the prior's noise at the root, the score, visits as the policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Generator

from workbench.planning.tree.kernels import expand_puct, grow_puct, select_puct, summarise
from workbench.planning.tree.search import check, numbers, plan_of
from workbench.planning.tree.trees import Floats, PUCTRules, Trees
from workbench.randomness import numpy_generator
from workbench.types import Plan


def exploration(simulations: int, c1: float, c2: float) -> Floats:
    """[N+2] sqrt(n) (c1 + log((n + c2 + 1) / c2)) for a node visited n times (MuZero, eq. 2).

    n counts the node's own evaluation, so that the prior decides the first descent too.
    """
    n = np.arange(simulations + 2)
    factor: Floats = np.sqrt(n) * (c1 + np.log((n + c2 + 1.0) / c2))
    return factor


@dataclass(frozen=True)
class Noise:
    """Dirichlet noise on the root's prior: (1 - fraction) P + fraction Dir(alpha)."""

    alpha: float
    fraction: float


@dataclass(frozen=True)
class ByPUCT:
    """MuZero's search; noise only to explore."""

    rules: PUCTRules
    noise: Noise
    select = staticmethod(select_puct)
    expand = staticmethod(expand_puct)
    grow = staticmethod(grow_puct)
    logs: ClassVar = False

    def begin(
        self, prior: np.ndarray, generator: Generator, explore: bool
    ) -> tuple[np.ndarray, PUCTRules]:
        if explore and self.noise.fraction > 0:
            prior = _with_noise(prior, self.noise, generator)
        return prior, self.rules

    def conclude(self, trees: Trees, rules: PUCTRules, actions: int) -> Plan:
        found = numbers(len(trees.depth), actions)
        check(summarise(trees, **found))
        return plan_of(trees, found)


def _with_noise(prior: np.ndarray, noise: Noise, generator: Generator) -> np.ndarray:
    """Mix Dirichlet noise over the legal moves into the prior."""
    legal = prior >= 0
    prior = np.where(legal, prior, 0.0)
    gamma = numpy_generator(generator).standard_gamma(noise.alpha, prior.shape) * legal
    # Tiny alphas can underflow to zero everywhere; the prior is then left as it is.
    total = gamma.sum(1, keepdims=True)
    share = np.divide(gamma, total, out=prior.copy(), where=total > 0)
    return np.where(legal, (1 - noise.fraction) * prior + noise.fraction * share, -np.inf)
