"""Schedule of sequential halving at the root of a Gumbel search."""

from __future__ import annotations

import numpy as np

from workbench.planning.tree.trees import Ints


def considered_visits(entrants: int, simulations: int) -> list[int]:
    """Return, for each simulation, the visit count of the actions considered in it.

    With m candidates, each survivor of a phase gets max(1, floor(n / (ceil(log2 m) survivors)))
    visits, then the better half survives (Karnin et al. 2013; Danihelka et al. 2022). Remaining
    simulations go to the last two candidates, as in mctx.
    """
    if entrants <= 1:
        return list(range(simulations))
    phases = (entrants - 1).bit_length()
    turns: list[int] = []
    survivors, visits = entrants, 0
    while len(turns) < simulations:
        for _ in range(max(1, simulations // (phases * survivors))):
            turns += [visits] * survivors
            visits += 1
        survivors = max(2, survivors // 2)
    return turns[:simulations]


def considered_table(most: int, simulations: int) -> Ints:
    """[most+1, simulations] `considered_visits` for each number of candidates."""
    rows = [considered_visits(entrants, simulations) for entrants in range(most + 1)]
    return np.array(rows, np.int32)
