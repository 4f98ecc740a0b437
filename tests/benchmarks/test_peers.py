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
def test_the_perceptron_is_of_the_size_that_is_said(actions: int) -> None:
    layer, two = 64 * 64 + 64, 64 * 2 + 2
    sizes = count_parameters(networks.perceptron(actions))
    assert sizes["dynamics"] == layer + actions * 64 + layer
    assert sizes["prediction"] == (layer + 65 * (actions + 1)) + (layer + two)


@pytest.mark.parametrize("planner", ["puct", "gumbel"])
def test_our_search_from_the_file_is_the_search_itself(tmp_path: Path, planner: str) -> None:
    write(tmp_path, 4, 8)
    searcher = ours.prepare(read(tmp_path, 4), Case(planner, 4, 3))
    plan = searcher.search()
    model = networks.perceptron(4)
    same = networks.planner(planner, SIMULATIONS, 4).plan(
        model, networks.roots(model, 8)[:3], torch.ones(3, 4, dtype=torch.bool), Generator()
    )
    assert torch.equal(plan.visits, same.visits)
    assert plan.visits.sum(1).tolist() == [SIMULATIONS] * 3
    assert searcher.depth(plan) == same.depth.double().mean()


def test_the_network_in_jax_is_the_one_in_torch(tmp_path: Path) -> None:
    pytest.importorskip("mctx")
    from benchmarks.peers import by_mctx

    write(tmp_path, 7, 5)
    arrays, model, action = read(tmp_path, 7), networks.perceptron(7), torch.arange(5)
    latent = torch.from_numpy(arrays[ROOTS])
    with torch.inference_mode():
        then, edge = model.step(latent, action, Generator())
        heads = model.predict(then)
    moved, reward = by_mctx.step(arrays, arrays[ROOTS], action.numpy())
    logits, value = by_mctx.predict(arrays, moved)
    for theirs, mine in ((moved, then), (reward, edge.reward), (logits, heads.policy),
                         (value, heads.value)):  # fmt: skip
        np.testing.assert_allclose(np.asarray(theirs), mine.numpy(), atol=1e-5)
    assert edge.discount.unique().tolist() == pytest.approx([networks.DISCOUNT])


@pytest.mark.parametrize("planner", ["puct", "gumbel"])
def test_the_peers_grow_a_tree_of_as_many_simulations(tmp_path: Path, planner: str) -> None:
    pytest.importorskip("mctx")
    pytest.importorskip("gumbel_mcts")
    from benchmarks.peers import by_gumbel_mcts, by_mctx

    write(tmp_path, 4, 2)
    case = Case(planner, 4, 2)
    mctx = by_mctx.prepare(read(tmp_path, 4), case)
    tree = mctx.search()
    assert np.asarray(tree.node_visits[:, 0]).tolist() == [SIMULATIONS + 1] * 2
    assert 1 <= mctx.depth(tree) <= SIMULATIONS
    other = by_gumbel_mcts.prepare(read(tmp_path, 4), case)
    grown = other.search()
    assert 1 <= other.depth(grown) <= SIMULATIONS
    visits = grown.get_all_root_visits(2).sum(1)
    assert (visits <= SIMULATIONS).all()
    assert (visits >= 0.9 * SIMULATIONS).all()


def test_mctx_by_gumbel_is_the_same_search(tmp_path: Path) -> None:
    pytest.importorskip("mctx")
    from benchmarks.peers import by_mctx

    write(tmp_path, 9, 4)
    arrays, case = read(tmp_path, 9), Case("gumbel", 9, 4)
    tree = by_mctx.prepare(arrays, case).search()
    plan = ours.prepare(arrays, case).search()
    assert np.asarray(tree.children_visits[:, 0]).tolist() == plan.visits.tolist()
