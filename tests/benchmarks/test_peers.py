"""All libraries search with the same network from the same roots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Generator

from benchmarks import networks
from benchmarks.peers import ours
from benchmarks.peers.exchange import ROOTS, SIMULATIONS, Case, read, write
from workbench.models.world_model import count_parameters


@pytest.mark.parametrize("actions", [4, 9])
def test_mlp_has_the_documented_size(actions: int) -> None:
    layer, two = 64 * 64 + 64, 64 * 2 + 2
    sizes = count_parameters(networks.mlp_model(actions))
    assert sizes["dynamics"] == layer + actions * 64 + layer
    assert sizes["prediction"] == (layer + 65 * (actions + 1)) + (layer + two)


def test_residual_model_has_the_documented_size() -> None:
    norm, two = 2 * 64, 64 * 2 + 2
    block = 2 * (norm + 9 * 64 * 64 + 64)
    sizes = count_parameters(networks.residual_model())
    assert sizes["dynamics"] == (9 * 65 * 64 + 64) + 2 * block + norm + (9 * 64 * 64 + 64)
    hidden, pooled = 64 * 64 + 64, 128 * 64 + 64
    assert sizes["prediction"] == (hidden + 65 + pooled + 65) + (hidden + pooled + two)


@pytest.mark.parametrize(("model", "actions"), [("mlp", 4), ("residual", 7)])
@pytest.mark.parametrize("planner", ["puct", "gumbel"])
def test_search_of_exchanged_weights_equals_the_direct_search(
    tmp_path: Path, planner: str, model: str, actions: int
) -> None:
    write(tmp_path, model, actions, 8)
    case = Case(model, actions, planner, 3)
    searcher = ours.prepare(read(tmp_path, model, actions), case)
    plan = searcher.search()
    environment = networks.model(model, actions)
    legal = torch.ones(3, actions, dtype=torch.bool)
    same = networks.planner(planner, SIMULATIONS, actions).plan(
        environment, networks.roots(environment, 8)[:3], legal, Generator()
    )
    assert torch.equal(plan.visits, same.visits)
    assert plan.visits.sum(1).tolist() == [SIMULATIONS] * 3
    assert searcher.depth(plan) == same.depth.double().mean()


@pytest.mark.parametrize("name", ["mlp", "residual"])
def test_jax_network_equals_the_torch_network(tmp_path: Path, name: str) -> None:
    pytest.importorskip("mctx")
    from benchmarks.peers import by_mctx

    write(tmp_path, name, 7, 7)
    arrays, model, action = read(tmp_path, name, 7), networks.model(name, 7), torch.arange(7)
    with torch.inference_mode():
        then, edge = model.step(torch.from_numpy(arrays[ROOTS]), action, Generator())
        heads = model.predict(then)
    in_jax = by_mctx.MODELS[name]
    weights, latent = in_jax.load(arrays)
    moved, reward, discount = in_jax.step(weights, latent, action.numpy())
    logits, value = in_jax.predict(weights, moved)
    last = then.movedim(1, -1)  # channels of planes; all that a vector has
    for theirs, mine in ((moved, last), (reward, edge.reward), (discount, edge.discount),
                         (logits, heads.policy), (value, heads.value)):  # fmt: skip
        np.testing.assert_allclose(np.asarray(theirs), mine.numpy(), atol=1e-5)


@pytest.mark.parametrize("planner", ["puct", "gumbel"])
def test_peer_trees_have_the_requested_number_of_simulations(tmp_path: Path, planner: str) -> None:
    pytest.importorskip("mctx")
    pytest.importorskip("gumbel_mcts")
    from benchmarks.peers import by_gumbel_mcts, by_mctx

    write(tmp_path, "mlp", 4, 2)
    arrays, case = read(tmp_path, "mlp", 4), Case("mlp", 4, planner, 2)
    mctx = by_mctx.prepare(arrays, case)
    tree = mctx.search()
    assert np.asarray(tree.node_visits[:, 0]).tolist() == [SIMULATIONS + 1] * 2
    assert 1 <= mctx.depth(tree) <= SIMULATIONS
    other = by_gumbel_mcts.prepare(arrays, case)
    grown = other.search()
    assert 1 <= other.depth(grown) <= SIMULATIONS
    visits = grown.get_all_root_visits(2).sum(1)
    assert (visits <= SIMULATIONS).all()
    assert (visits >= 0.9 * SIMULATIONS).all()


@pytest.mark.parametrize(("name", "actions"), [("mlp", 9), ("residual", 7)])
def test_gumbel_search_of_mctx_is_identical(tmp_path: Path, name: str, actions: int) -> None:
    pytest.importorskip("mctx")
    from benchmarks.peers import by_mctx

    write(tmp_path, name, actions, 4)
    arrays, case = read(tmp_path, name, actions), Case(name, actions, "gumbel", 4)
    tree = by_mctx.prepare(arrays, case).search()
    plan = ours.prepare(arrays, case).search()
    assert np.asarray(tree.children_visits[:, 0]).tolist() == plan.visits.tolist()
