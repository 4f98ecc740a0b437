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
from workbench.planning.tree.trees import GumbelRules
from workbench.randomness import numpy_generator


@dataclass(frozen=True)
class ByGumbel:
    """Search by Gumbel MuZero (Danihelka et al. 2022); Gumbel noise only to explore."""

    without_noise: GumbelRules
    begin = staticmethod(begin_gumbel)
    select = staticmethod(select_gumbel)
    expand = staticmethod(expand_gumbel)
    conclude = staticmethod(conclude_gumbel)
    search = staticmethod(search_gumbel)
    logs: ClassVar = True
    moves: ClassVar = True

    def rules(self, legal: np.ndarray, generator: Generator, explore: bool) -> GumbelRules:
        if not explore:
            return self.without_noise
        return self.without_noise._replace(
            noise=numpy_generator(generator).gumbel(size=legal.shape)
        )
