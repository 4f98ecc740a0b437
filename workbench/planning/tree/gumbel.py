"""What makes a tree search Gumbel MuZero: fresh noise, sequential halving, the improved policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Generator

from workbench.planning.tree.kernels import (
    conclude_gumbel,
    expand_gumbel,
    grow_gumbel,
    select_gumbel,
)
from workbench.planning.tree.search import check, numbers, plan_of
from workbench.planning.tree.trees import GumbelRules, Ints, Trees
from workbench.randomness import numpy_generator
from workbench.types import Plan


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
    select = staticmethod(select_gumbel)
    expand = staticmethod(expand_gumbel)
    grow = staticmethod(grow_gumbel)
    logs: ClassVar = True

    def begin(
        self, prior: np.ndarray, generator: Generator, explore: bool
    ) -> tuple[np.ndarray, GumbelRules]:
        root = prior + numpy_generator(generator).gumbel(size=prior.shape) if explore else prior
        rules = GumbelRules(
            root=root,
            considered=self.considered,
            entrants=np.empty(len(prior), np.int32),
            c_visit=self.c_visit,
            c_scale=self.c_scale,
            span=self.span,
        )
        return prior, rules

    def conclude(self, trees: Trees, rules: GumbelRules, actions: int) -> Plan:
        batch = len(trees.depth)
        found = {**numbers(batch, actions), "action": np.empty(batch, np.int64)}
        check(conclude_gumbel(trees, rules, self.improved, **found))
        return plan_of(trees, found)
