"""The workbench's own search, from the same files as the others."""

from __future__ import annotations

import torch
from torch import Generator

from benchmarks import networks
from benchmarks.peers.exchange import ROOTS, SIMULATIONS, Arrays, Case, Searcher
from workbench.types import Plan


def prepare(arrays: Arrays, case: Case) -> Searcher:
    """Prepare the searcher of a case."""
    model = networks.model(case.model, case.actions)
    weights = {name: torch.from_numpy(array) for name, array in arrays.items() if name != ROOTS}
    model.load_state_dict(weights)
    planner = networks.planner(case.planner, SIMULATIONS, case.actions)
    root = torch.from_numpy(arrays[ROOTS][: case.batch])
    legal = torch.ones(case.batch, case.actions, dtype=torch.bool)

    def search() -> Plan:
        return planner.plan(model, root, legal, Generator())

    def depth(plan: Plan) -> float:
        return float(plan.depth.double().mean())

    return Searcher(search, depth)
