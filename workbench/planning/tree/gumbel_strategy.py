"""Strategy of Gumbel MuZero: Gumbel noise, sequential halving, the improved policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Generator

from workbench.planning.tree.kernels import (
    begin_gumbel,
    expand_gumbel,
    finish_gumbel,
    search_gumbel,
    select_gumbel,
)
from workbench.planning.tree.trees import GumbelRules
from workbench.randomness import numpy_generator


@dataclass(frozen=True)
class GumbelStrategy:
    """Gumbel MuZero search (Danihelka et al. 2022); the noise is drawn only to explore."""

    without_noise: GumbelRules
    begin = staticmethod(begin_gumbel)
    select = staticmethod(select_gumbel)
    expand = staticmethod(expand_gumbel)
    finish = staticmethod(finish_gumbel)
    search = staticmethod(search_gumbel)
    log_priors: ClassVar = True
    selects_action: ClassVar = True

    def rules(self, legal: np.ndarray, generator: Generator, explore: bool) -> GumbelRules:
        """Return the rules of one search, including the noise."""
        if not explore:
            return self.without_noise
        return self.without_noise._replace(
            noise=numpy_generator(generator).gumbel(size=legal.shape)
        )
