"""Graph convolutions against Kipf & Welling's formula, torch-geometric and a per-node MLP."""

from __future__ import annotations

from collections import Counter
from math import sqrt
from typing import Any

import pytest
import torch
from torch import Tensor

from workbench.environments.games.graphs import eight_neighbours, lines
from workbench.environments.tic_tac_toe import TicTacToe
from workbench.models.dynamics import gcn
from workbench.models.graphs import BoardNodes, rewire, shared_edges
from workbench.models.layers import GraphConvolution, GraphStack, normalised_adjacency
from workbench.models.representation.gcn import GCN
from workbench.types import EnvironmentSpec, Graph, LatentSpec

ENVIRONMENT = TicTacToe().spec()
PATH = Graph(3, ((0, 1), (1, 0), (1, 2), (2, 1)))


def planes(batch: int = 4) -> Tensor:
    return torch.rand(batch, 3, 3, 3, generator=torch.Generator().manual_seed(5))


def build(config: Any, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return config.build(ENVIRONMENT)


def test_normalised_adjacency_of_a_path_of_three_by_hand() -> None:
    # With self-loops the degrees are 2, 3, 2: entries 1/2, 1/3, and 1/sqrt(6) between neighbours.
    s = 1 / sqrt(6)
    expected = torch.tensor([[0.5, s, 0], [s, 1 / 3, s], [0, s, 0.5]])
    assert torch.allclose(normalised_adjacency(PATH), expected)


def test_one_layer_equals_a_hat_x_w_plus_b() -> None:
    torch.manual_seed(0)
    layer = GraphConvolution(PATH, 2, 4, "dense")
    torch.nn.init.normal_(layer.bias)
    s = 1 / sqrt(6)
    mix = torch.tensor([[0.5, s, 0], [s, 1 / 3, s], [0, s, 0.5]])
    x = torch.randn(5, 3, 2)
    by_hand = torch.einsum("ij,bjf,gf->big", mix, x, layer.lin.weight) + layer.bias
    assert torch.allclose(layer(x), by_hand, atol=1e-6)


@pytest.mark.parametrize("backend", ["dense", "sparse"])
def test_gcn_without_edges_is_an_mlp_per_node(backend: str) -> None:
    encoder = build(GCN(edges="empty", depth=3, latent_kind="nodes", backend=backend))
    first, second, third = (encoder[1].layers[i] for i in range(3))
    for layer in (first, second, third):
        torch.nn.init.normal_(layer.bias)
    x = planes()
    for cell in range(9):
        y, column = divmod(cell, 3)
        hidden = x[:, :, y, column]
        hidden = (hidden @ first.lin.weight.T + first.bias).relu()
        hidden = (hidden @ second.lin.weight.T + second.bias).relu()
        hidden = hidden @ third.lin.weight.T + third.bias
        assert torch.allclose(encoder(x)[:, cell], hidden, atol=1e-5)


def relabelled(graph: Graph, place: list[int]) -> Graph:
    """Node i of the graph becomes node place[i]."""
    return Graph(graph.nodes, tuple(sorted((place[a], place[b]) for a, b in graph.edges)))


@pytest.mark.parametrize("backend", ["dense", "sparse"])
@pytest.mark.parametrize("graph", [eight_neighbours(3, 3), lines(3, 3, 3), PATH])
def test_output_is_equivariant_under_permutations_of_nodes_and_graph(
    backend: str, graph: Graph
) -> None:
    place = torch.randperm(graph.nodes, generator=torch.Generator().manual_seed(3)).tolist()
    torch.manual_seed(0)
    original = GraphStack(graph, [4, 6, 5], backend)
    torch.manual_seed(0)
    permuted = GraphStack(relabelled(graph, place), [4, 6, 5], backend)
    x = torch.randn(3, graph.nodes, 4)
    moved = torch.empty_like(x)
    moved[:, place] = x
    assert torch.allclose(permuted(moved)[:, place], original(x), atol=1e-5)
    assert not torch.allclose(original(moved)[:, place], original(x), atol=1e-2)


@pytest.mark.parametrize("edges", ["original", "empty", "shuffled"])
@pytest.mark.parametrize("graph", ["neighbours", "lines"])
def test_dense_backend_equals_torch_geometric_with_its_parameters(edges: Any, graph: str) -> None:
    options: dict[str, Any] = {"edges": edges, "graph": graph, "depth": 3}
    # One seed, one shuffled graph: it is no part of what is saved.
    sparse = build(GCN(backend="sparse", **options), seed=1)
    dense = build(GCN(backend="dense", **options), seed=1)
    for parameter in dense.parameters():
        torch.nn.init.normal_(parameter)
    assert not torch.allclose(sparse(planes()), dense(planes()), atol=1e-3)
    dense.load_state_dict(sparse.state_dict())
    assert torch.allclose(sparse(planes()), dense(planes()), atol=1e-5)
    back = build(GCN(backend="sparse", **options), seed=1)
    back.load_state_dict(dense.state_dict())
    assert torch.allclose(back(planes()), dense(planes()), atol=1e-5)


def test_dense_backend_equals_an_independent_gcnconv() -> None:
    from torch_geometric.nn import GCNConv

    graph = eight_neighbours(3, 3)
    reference = GCNConv(4, 7)
    torch.nn.init.normal_(reference.bias)
    layer = GraphConvolution(graph, 4, 7, "dense")
    layer.load_state_dict(reference.state_dict(), strict=False)
    x = torch.randn(6, 9, 4)
    edges = torch.tensor(graph.edges).T
    for row, result in zip(x, layer(x), strict=True):
        assert torch.allclose(reference(row, edges), result, atol=1e-5)


def test_dense_and_sparse_backends_have_equal_gradients() -> None:
    gradients = []
    for backend in ("dense", "sparse"):
        encoder = build(GCN(backend=backend), seed=4)
        encoder(planes()).square().sum().backward()
        gradients.append([p.grad for p in encoder.parameters()])
    for dense, sparse in zip(*gradients, strict=True):
        assert torch.allclose(dense, sparse, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["neighbours", "lines"])
def test_shuffled_graph_preserves_degrees_and_differs(name: str) -> None:
    graph = ENVIRONMENT.graphs[name]
    torch.manual_seed(7)
    shuffled = rewire(graph, "shuffled")
    degrees = [Counter(a for a, _ in g.edges) for g in (graph, shuffled)]
    assert degrees[0] == degrees[1]
    assert set(shuffled.edges) != set(graph.edges)
    assert len(set(shuffled.edges)) == len(shuffled.edges) == len(graph.edges)
    assert all((b, a) in set(shuffled.edges) and a != b for a, b in shuffled.edges)


def test_shuffled_graph_depends_on_the_seed() -> None:
    graph = ENVIRONMENT.graphs["neighbours"]
    drawn = []
    for seed in (1, 1, 2, 3):
        torch.manual_seed(seed)
        drawn.append(rewire(graph, "shuffled").edges)
    assert drawn[0] == drawn[1]
    assert len({drawn[0], drawn[2], drawn[3]}) == 3


def test_empty_graph_has_all_nodes_and_no_edges() -> None:
    assert rewire(PATH, "empty") == Graph(3, ())
    assert rewire(PATH, "original") == PATH


def test_dynamics_mark_the_node_of_the_action_and_reach_only_its_neighbours() -> None:
    # Two convolutions reach two moves of a king: on a path of nine nodes, action 0 can change
    # nodes 0, 1 and 2 and no other.
    path = Graph(9, tuple((a, b) for a in range(9) for b in range(9) if abs(a - b) == 1))
    cells = tuple(((0, cell),) for cell in range(9))
    environment = EnvironmentSpec(
        "path", (3, 3, 3), 9, graphs={"neighbours": path}, action_planes=cells
    )
    torch.manual_seed(0)
    step = gcn.GCN(width=32).build(LatentSpec("nodes", (9, 8)), environment)
    latent = torch.randn(1, 9, 8)
    changed = (step(latent, torch.tensor([0])) - step(latent, torch.tensor([8]))).abs().amax(-1)[0]
    assert (changed > 0).tolist() == [True] * 3 + [False] * 3 + [True] * 3


def test_node_features_are_row_major_cells_with_optional_coordinates() -> None:
    x = torch.arange(12.0).view(1, 2, 2, 3)
    plain = BoardNodes((2, 2, 3), coordinates=False)
    assert plain(x)[0].tolist() == [[c, c + 6] for c in range(6)]
    placed = BoardNodes((2, 2, 3), coordinates=True)
    assert placed.features == 4
    where = [[y, column / 2] for y in range(2) for column in range(3)]
    assert placed(x)[0, :, 2:].tolist() == where


@pytest.mark.parametrize("seed", range(6))
def test_shuffled_graph_shares_few_edges_beyond_those_forced_by_degrees(seed: int) -> None:
    board = eight_neighbours(3, 3)
    torch.manual_seed(seed)
    shared = shared_edges(board, rewire(board, "shuffled"))
    # The centre has degree 8 among 9 cells, so that its 8 edges stay in every draw; of the other
    # 12, the best of a hundred draws keeps at most half.
    assert 8 <= shared <= 8 + 12 / 2


def test_both_backends_have_identical_initial_weights() -> None:
    dense, sparse = (build(GCN(backend=b), seed=5).state_dict() for b in ("dense", "sparse"))
    assert list(dense) == list(sparse)
    assert all(torch.equal(dense[name], sparse[name]) for name in dense)
