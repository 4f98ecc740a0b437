"""Simulations per second, compared with the same network calls without a tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from numba import njit
from torch import Generator, Tensor

from benchmarks import networks
from benchmarks.measurement import Effort, Figure
from benchmarks.timing import time_alternately
from workbench.models.world_model import WorldModel
from workbench.planning.tree import kernels
from workbench.planning.tree.compiled_network import Network, compiled_network, workspace_for
from workbench.planning.tree.search import n_chunks, parallel_chunks
from workbench.planning.tree.simd import TREES_PER_TILE
from workbench.planning.tree.trees import Trees, allocate_trees
from workbench.types import Latent, tree_leaves

SIMULATIONS = 50
BATCHES = (1, 16, 128, 512)
GROWTH, GROWTH_BATCH, GROWTH_ACTIONS = (50, 100, 200, 400, 800), 16, 9
FLOOR = "network calls"


def network_calls(model: WorldModel, root: Latent, action: Tensor, simulations: int) -> None:
    """Run one step and one prediction per simulation: the calls that a search cannot avoid."""
    network = compiled_network(model, cut=False)
    if network is not None:
        _calls_within(network, action, simulations)
        return
    generator, latent = Generator(), root
    for _ in range(simulations):
        latent, _ = model.step(latent, action, generator)
        model.predict(latent)


def _calls_within(network: Network, action: Tensor, simulations: int) -> None:
    """Run the same calls in the kernels, on as many threads as the search."""

    def evaluate(share: int, first: int, last: int) -> None:
        room = workspace_for(network, 1, network.actions, share)
        room.scratch[:] = 0.5
        _evaluate(network, room, action.numpy(), simulations, first, last)

    parallel_chunks(evaluate, len(action))


@njit(nogil=True, error_model="numpy")
def _evaluate(
    network: Any, room: Any, action: Any, simulations: int, first: int, last: int
) -> None:
    for start in range(first, last, TREES_PER_TILE):
        rows = min(TREES_PER_TILE, last - start)
        for _ in range(simulations):
            kernels.evaluate(network, room.scratch, action[start : start + rows], rows, 0)
            kernels.read(network, room.scratch, room.leaves, rows)


def measure(effort: Effort) -> Iterator[Figure]:
    """Measure MLPs with three tree widths and a residual tower, then the growth with N."""
    for name, actions in networks.MODELS[:1] if effort.quick else networks.MODELS:
        model = networks.model(name, actions)
        for batch in BATCHES[:1] if effort.quick else BATCHES:
            for planner in networks.PLANNERS:
                yield _figure(name, model, planner, batch, SIMULATIONS, effort)
    model = networks.mlp_model(GROWTH_ACTIONS)
    for simulations in GROWTH[:1] if effort.quick else GROWTH[1:]:
        yield _figure("mlp", model, "puct", GROWTH_BATCH, simulations, effort)


def _figure(
    name: str,
    model: WorldModel,
    planner: str,
    batch: int,
    simulations: int,
    effort: Effort,
) -> Figure:
    actions = model.spec.actions
    plan, root = networks.planner(planner, simulations, actions).plan, networks.roots(model, batch)
    legal, action = torch.ones(batch, actions, dtype=torch.bool), torch.zeros(batch).long()

    def search() -> object:
        return plan(model, root, legal, Generator())

    @torch.inference_mode()
    def floor() -> None:
        network_calls(model, root, action, simulations)

    case: dict[str, str | int] = {
        "model": name,
        "planner": planner,
        "A": actions,
        "B": batch,
        "N": simulations,
    }
    depth = plan(model, root, legal, Generator()).depth.double().mean()
    return time_alternately(search, floor, effort.repeats).figure(
        "search",
        case,
        FLOOR,
        work=batch * simulations,
        unit="simulations/s",
        extras={
            "depth": float(depth),
            "bytes per node": bytes_per_node(model, root, batch, simulations),
        },
    )


def bytes_per_node(model: WorldModel, root: Latent, batch: int, simulations: int) -> float:
    """Return the memory of a search, trees and latents, per root and simulation."""
    nodes, actions, network = (
        simulations + 1,
        model.spec.actions,
        compiled_network(model, cut=False),
    )
    if network is None:
        latents = sum(tensor.nbytes for tensor in tree_leaves(root)) * nodes
        held = _size(allocate_trees(batch, nodes, actions)) + latents
    else:
        room = workspace_for(network, nodes, actions)
        held = n_chunks(batch) * (_size(room.trees) + room.latents.nbytes)
    return held / (batch * simulations)


def _size(trees: Trees) -> int:
    return sum(array.nbytes for array in trees)
