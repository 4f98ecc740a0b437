"""Strategy of MuZero: root noise, the PUCT score, visits as the policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Generator

from workbench.planning.tree.kernels import (
    begin_puct,
    expand_puct,
    finish_puct,
    search_puct,
    select_puct,
)
from workbench.planning.tree.trees import Floats, PUCTRules
from workbench.randomness import numpy_generator


def exploration(simulations: int, c1: float, c2: float) -> Floats:
    """[N+2] sqrt(n) (c1 + log((n + c2 + 1) / c2)) for a node visited n times (MuZero, eq. 2).

    n includes the node's own evaluation, so that the prior decides the first descent too.
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
class PUCTStrategy:
    """MuZero's search; the noise is drawn only to explore."""

    without_noise: PUCTRules
    noise: Noise
    begin = staticmethod(begin_puct)
    select = staticmethod(select_puct)
    expand = staticmethod(expand_puct)
    finish = staticmethod(finish_puct)
    search = staticmethod(search_puct)
    log_priors: ClassVar = False
    selects_action: ClassVar = False

    def rules(self, legal: np.ndarray, generator: Generator, explore: bool) -> PUCTRules:
        """Return the rules of one search, including the noise."""
        if not explore or self.noise.fraction == 0:
            return self.without_noise
        return self.without_noise._replace(
            fraction=self.noise.fraction, noise=_dirichlet(legal, self.noise.alpha, generator)
        )


def _dirichlet(legal: np.ndarray, alpha: float, generator: Generator) -> Floats:
    """[B, A] Sample Dir(alpha) over the legal actions; -1 for roots without noise.

    A tiny alpha can underflow to zero everywhere; the prior of such a root stays unchanged.
    """
    gamma = numpy_generator(generator).standard_gamma(alpha, legal.shape) * legal
    total = gamma.sum(1, keepdims=True)
    noise: Floats = np.divide(gamma, total, out=np.full_like(gamma, -1.0), where=total > 0)
    return noise
