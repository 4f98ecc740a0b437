"""Sums over a graph's neighbours and layers by node, against products written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from workbench.environments.games.graphs import eight_neighbours
from workbench.models.layers import GraphConvolution, mlp
from workbench.models.message_passing import GraphIsomorphism
from workbench.models.mixing import MANY, Mixing, NodesLinear
from workbench.types import Graph

BOARD = eight_neighbours(6, 7)


def matrix(nodes: int, share: float) -> Tensor:
    """Not symmetric; about this share of it is not 0, the last row all 0."""
    generator = torch.Generator().manual_seed(nodes)
    held = torch.rand(nodes, nodes, generator=generator) < share
    held[-1] = False
    return torch.randn(nodes, nodes, generator=generator, dtype=torch.float64) * held


@pytest.mark.parametrize("share", [0.0, 0.1, 0.45, 0.9, 1.0])
def test_nodes_become_the_sums_that_the_rows_of_the_matrix_say(share: float) -> None:
    weights = matrix(11, share)
    nodes = torch.randn(11, 4, 3, dtype=torch.float64, requires_grad=True)
    mixed = Mixing(weights)(nodes)
    wanted = torch.einsum("ij,jbc->ibc", weights, nodes)
    assert torch.allclose(mixed, wanted, atol=1e-12)
    gradient = torch.randn(11, 4, 3, dtype=torch.float64)
    (back,) = torch.autograd.grad(mixed, nodes, gradient)
    assert torch.allclose(back, torch.einsum("ij,ibc->jbc", weights, gradient), atol=1e-12)


def test_boards_first_in_memory_are_mixed_alike() -> None:
    nodes = torch.randn(5, 11, 3, dtype=torch.float64)
    mixing = Mixing(matrix(11, 0.2))
    assert torch.equal(mixing(nodes.transpose(0, 1)), mixing(nodes.transpose(0, 1).contiguous()))


def test_a_mixing_is_no_part_of_what_is_saved_and_has_nothing_to_learn() -> None:
    mixing = Mixing(matrix(11, 0.2))
    assert not mixing.state_dict()
    assert not list(mixing.parameters())


@pytest.mark.parametrize("rows", [6, MANY])
@pytest.mark.parametrize(("inputs", "outputs"), [(3, 20), (20, 3), (17, 17)])
def test_a_layer_of_nodes_is_torchs_linear_layer_at_every_node(
    rows: int, inputs: int, outputs: int
) -> None:
    layer, there = NodesLinear(inputs, outputs), torch.nn.Linear(inputs, outputs)
    layer.load_state_dict(there.state_dict())
    boards = torch.randn(rows // 2, 2, inputs)
    nodes = boards.transpose(0, 1)  # as a board's cells come: in memory, boards first
    result, wanted = layer(nodes), there(nodes)
    assert torch.allclose(result, wanted, atol=1e-5)
    gradient = torch.randn_like(wanted)
    found = torch.autograd.grad(result, [*layer.parameters()], gradient)
    expected = torch.autograd.grad(wanted, [*there.parameters()], gradient)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-3 if rows == MANY else 1e-5)


@pytest.mark.parametrize("boards", [2, MANY // BOARD.nodes + 1])
@pytest.mark.parametrize(("channels", "width"), [(3, 12), (12, 12), (12, 3)])
def test_on_a_board_of_42_cells_a_convolution_is_torch_geometrics(
    boards: int, channels: int, width: int
) -> None:
    dense, sparse = (GraphConvolution(BOARD, channels, width, b) for b in ("dense", "sparse"))
    torch.nn.init.normal_(dense.bias)
    sparse.load_state_dict(dense.state_dict())
    nodes = torch.randn(boards, BOARD.nodes, channels)
    assert torch.allclose(dense(nodes), sparse(nodes), atol=1e-5)


@pytest.mark.parametrize("graph", [BOARD, Graph(42, ())])
def test_an_isomorphism_layer_is_torch_geometrics(graph: Graph) -> None:
    from torch_geometric.nn import GINConv

    layer = GraphIsomorphism(graph, 3, 12, learn_epsilon=False)
    layer.epsilon = 0.3
    by_row = mlp([3, 12, 12])
    reference = GINConv(by_row, eps=0.3)  # which draws the layers anew
    by_row.load_state_dict(layer.mlp.state_dict())
    nodes = torch.randn(2, graph.nodes, 3)
    edges = torch.tensor(graph.edges, dtype=torch.int64).reshape(-1, 2).T
    for row, result in zip(nodes, layer(nodes), strict=True):
        assert torch.allclose(result, reference(row, edges), atol=1e-5)
