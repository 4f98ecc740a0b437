"""What makes a tree search PUCT: the prior's noise at the root, the score, visits as the policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Generator

from workbench.planning.tree.kernels import (
    begin_puct,
    conclude_puct,
    expand_puct,
    search_puct,
    select_puct,
)
from workbench.planning.tree.trees import Floats, PUCTRules
from workbench.randomness import numpy_generator


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

    without_noise: PUCTRules
    noise: Noise
    begin = staticmethod(begin_puct)
    select = staticmethod(select_puct)
    expand = staticmethod(expand_puct)
    conclude = staticmethod(conclude_puct)
    search = staticmethod(search_puct)
    logs: ClassVar = False
    moves: ClassVar = False

    def rules(self, legal: np.ndarray, generator: Generator, explore: bool) -> PUCTRules:
        if not explore or self.noise.fraction == 0:
            return self.without_noise
        return self.without_noise._replace(
            fraction=self.noise.fraction, noise=_dirichlet(legal, self.noise.alpha, generator)
        )


def _dirichlet(legal: np.ndarray, alpha: float, generator: Generator) -> Floats:
    """[B, A] Dir(alpha) over the legal moves; -1 where there is none.

    Tiny alphas can underflow to zero everywhere; such a root's prior is left as it is.
    """
    gamma = numpy_generator(generator).standard_gamma(alpha, legal.shape) * legal
    total = gamma.sum(1, keepdims=True)
    noise: Floats = np.divide(gamma, total, out=np.full_like(gamma, -1.0), where=total > 0)
    return noise
