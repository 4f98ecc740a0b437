"""Sums over a graph's neighbours and layers by node, against products written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from workbench.environments.games.graphs import eight_neighbours
from workbench.models.aggregation import MANY, NeighbourAggregation, NodesLinear
from workbench.models.graph_layers import GraphIsomorphism
from workbench.models.layers import GraphConvolution, mlp
from workbench.types import Graph

BOARD = eight_neighbours(6, 7)


def matrix(nodes: int, share: float) -> Tensor:
    """Not symmetric; about this share of it is not 0, the last row all 0."""
    generator = torch.Generator().manual_seed(nodes)
    held = torch.rand(nodes, nodes, generator=generator) < share
    held[-1] = False
    return torch.randn(nodes, nodes, generator=generator, dtype=torch.float64) * held


FEW, MANY_BOARDS = 4, 300
"""With 3 channels: aggregation by a product and, for a sparse matrix, by sums."""


@pytest.mark.parametrize("boards", [FEW, MANY_BOARDS])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.45, 0.9, 1.0])
def test_mixing_equals_multiplication_by_the_matrix(share: float, boards: int) -> None:
    weights = matrix(11, share)
    nodes = torch.randn(boards, 11, 3, dtype=torch.float64, requires_grad=True)
    mixed = NeighbourAggregation(weights)(nodes)
    assert torch.allclose(mixed, torch.einsum("ij,bjc->bic", weights, nodes), atol=1e-12)
    gradient = torch.randn(boards, 11, 3, dtype=torch.float64)
    (back,) = torch.autograd.grad(mixed, nodes, gradient)
    assert torch.allclose(back, torch.einsum("ij,bic->bjc", weights, gradient), atol=1e-12)


def test_mixing_has_second_derivatives() -> None:
    nodes = torch.randn(256, 5, 2, dtype=torch.float64, requires_grad=True)
    mixing = NeighbourAggregation(matrix(5, 0.3))
    assert torch.autograd.gradgradcheck(lambda x: mixing(x).pow(3), nodes, fast_mode=True)


def test_mixing_does_not_depend_on_the_memory_layout() -> None:
    nodes = torch.randn(11, MANY_BOARDS, 3, dtype=torch.float64).transpose(0, 1)
    mixing = NeighbourAggregation(matrix(11, 0.2))
    assert torch.equal(mixing(nodes), mixing(nodes.contiguous()))


def test_mixing_of_a_board_does_not_depend_on_the_batch_size() -> None:
    mixing, nodes = (
        NeighbourAggregation(matrix(11, 0.2).float()),
        torch.randn(3 * MANY_BOARDS, 11, 3),
    )
    with torch.inference_mode():  # what is kept of it must not keep anyone from learning
        mixed = mixing(nodes[: 2 * MANY_BOARDS])
    for boards in (MANY_BOARDS, 3 * MANY_BOARDS):
        some = nodes[:boards].requires_grad_()
        result = mixing(some)
        shared = min(boards, len(mixed))
        assert torch.equal(result[:shared], mixed[:shared])
        assert torch.autograd.grad(result.sum(), some)[0].shape == some.shape
    assert torch.allclose(mixing.double()(nodes.double())[: len(mixed)].float(), mixed, atol=1e-6)


def test_mixing_has_neither_parameters_nor_saved_state() -> None:
    mixing = NeighbourAggregation(matrix(11, 0.2))
    assert not mixing.state_dict()
    assert not list(mixing.parameters())


@pytest.mark.parametrize("rows", [6, MANY])
@pytest.mark.parametrize(("inputs", "outputs"), [(3, 20), (20, 3), (17, 17)])
def test_node_linear_equals_a_torch_linear_layer_at_every_node(
    rows: int, inputs: int, outputs: int
) -> None:
    layer, torch_layer = NodesLinear(inputs, outputs), torch.nn.Linear(inputs, outputs)
    layer.load_state_dict(torch_layer.state_dict())
    nodes = torch.randn(2, rows // 2, inputs)
    result, expected_value = layer(nodes), torch_layer(nodes)
    assert torch.allclose(result, expected_value, atol=1e-5)
    gradient = torch.randn_like(expected_value)
    found = torch.autograd.grad(result, [*layer.parameters()], gradient)
    expected = torch.autograd.grad(expected_value, [*torch_layer.parameters()], gradient)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-3 if rows == MANY else 1e-5)


@pytest.mark.parametrize("boards", [2, MANY // BOARD.nodes + 1])
@pytest.mark.parametrize(("channels", "width"), [(3, 12), (12, 12), (12, 3)])
def test_graph_convolution_of_42_cells_equals_torch_geometric(
    boards: int, channels: int, width: int
) -> None:
    dense, sparse = (GraphConvolution(BOARD, channels, width, b) for b in ("dense", "sparse"))
    torch.nn.init.normal_(dense.bias)
    sparse.load_state_dict(dense.state_dict())
    nodes = torch.randn(boards, BOARD.nodes, channels)
    assert torch.allclose(dense(nodes), sparse(nodes), atol=1e-5)


@pytest.mark.parametrize("graph", [BOARD, Graph(42, ())])
def test_isomorphism_layer_of_42_cells_equals_torch_geometric(graph: Graph) -> None:
    from torch_geometric.nn import GINConv

    layer = GraphIsomorphism(graph, 3, 12, learn_epsilon=False)
    layer.epsilon = 0.3
    by_row = mlp([3, 12, 12])
    reference = GINConv(by_row, eps=0.3)  # which initialises the layers again
    by_row.load_state_dict(layer.mlp.state_dict())
    nodes = torch.randn(2, graph.nodes, 3)
    edges = torch.tensor(graph.edges, dtype=torch.int64).reshape(-1, 2).T
    for row, result in zip(nodes, layer(nodes), strict=True):
        assert torch.allclose(result, reference(row, edges), atol=1e-5)
