"""What makes a tree search Gumbel MuZero: fresh noise, sequential halving, the improved policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Generator

from workbench.planning.tree.kernels import (
    begin_gumbel,
    conclude_gumbel,
    expand_gumbel,
    search_gumbel,
    select_gumbel,
)
from workbench.planning.tree.trees import GumbelRules, Ints
from workbench.randomness import numpy_generator


_FAR = 40.0
"""How far below 0 all logits of an improved policy may lie; their exponentials reach to -87."""


@dataclass(frozen=True)
class ByGumbel:
    """Search by Gumbel MuZero (Danihelka et al. 2022); Gumbel noise only to explore."""

    considered: Ints  # [m+1, N] of `halving.considered_table`
    c_visit: float
    c_scale: float
    span: float
    """What Q is divided by; 0 for the range of a node's completed Q."""
    improved: bool
    """Whether the plan's policy is the improved one rather than the share of visits."""
    begin = staticmethod(begin_gumbel)
    select = staticmethod(select_gumbel)
    expand = staticmethod(expand_gumbel)
    conclude = staticmethod(conclude_gumbel)
    search = staticmethod(search_gumbel)
    logs: ClassVar = True
    moves: ClassVar = True

    def rules(self, legal: np.ndarray, generator: Generator, explore: bool) -> GumbelRules:
        shape = legal.shape
        noise = numpy_generator(generator).gumbel(size=shape) if explore else np.zeros(shape)
        greatest_sigma = (self.c_visit + self.considered.shape[1]) * self.c_scale
        return GumbelRules(
            noise=noise,
            considered=self.considered,
            entrants=np.empty(len(legal), np.int32),
            c_visit=self.c_visit,
            c_scale=self.c_scale,
            span=self.span,
            apart=self.span > 0.0 or greatest_sigma > _FAR,
            improved=self.improved,
        )
