"""Encoders of boards against torch-geometric, against formulas, and on boards of two sizes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Module

from tests.workbench.fakes import problems_of
from workbench.components import Incompatible, RepresentationConfig
from workbench.environments.atari import Atari
from workbench.environments.cartpole import CartPole
from workbench.environments.games.graphs import eight_neighbours, lines
from workbench.environments.gomoku import Gomoku
from workbench.environments.minatar import MinAtar
from workbench.environments.tic_tac_toe import TicTacToe
from workbench.models.graph_layers import GraphAttention, GraphIsomorphism, neighbourhoods
from workbench.models.layers import LayerStack, ResidualBlock
from workbench.models.representation.cnn import CNN
from workbench.models.representation.gat import GAT
from workbench.models.representation.gcn import GCN
from workbench.models.representation.gin import GIN
from workbench.models.representation.resnet import ResNet
from workbench.models.representation.transformer import Transformer
from workbench.types import EnvironmentSpec, Graph, LatentSpec

# Node 4 has no edge; node 0 has the most.
STAR = Graph(5, ((0, 1), (0, 2), (0, 3), (1, 0), (2, 0), (3, 0), (2, 3), (3, 2)))
PATH = Graph(9, tuple((a, b) for a in range(9) for b in range(9) if abs(a - b) == 1))
GRAPHS = [STAR, eight_neighbours(3, 3), lines(4, 3, 3)]

KEEPING: list[RepresentationConfig] = [
    CNN(latent_kind="grid"),
    ResNet(latent_kind="grid"),
    ResNet(latent_kind="grid", downsample=1),
    GCN(latent_kind="nodes"),
    GCN(latent_kind="nodes", backend="sparse", coordinates=True),
    GAT(latent_kind="nodes", coordinates=True),
    GIN(latent_kind="nodes"),
    Transformer(latent_kind="nodes", position="coordinates"),
    Transformer(latent_kind="nodes", position="none"),
]
"""Encoders whose networks know nothing of the size of the board."""


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def edges_of(graph: Graph) -> Tensor:
    return torch.tensor(graph.edges).T


def named(config: Any) -> str:
    return "-".join(str(v) for v in [config.component, *config.model_dump(exclude_defaults=True)])


# --- against another library ---------------------------------------------------------------------


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("graph", GRAPHS)
def test_attention_equals_gatv2_of_torch_geometric(graph: Graph, heads: int) -> None:
    from torch_geometric.nn import GATv2Conv

    reference = GATv2Conv(4, 2, heads)
    layer = GraphAttention(graph, 4, 2 * heads, heads)
    torch.nn.init.normal_(layer.source.bias)
    with torch.no_grad():
        reference.lin_l.weight.copy_(layer.source.weight)
        reference.lin_l.bias.copy_(layer.source.bias)
        reference.lin_r.weight.copy_(layer.target.weight)
        reference.lin_r.bias.zero_()
        reference.att.copy_(layer.score[None])
        reference.bias.zero_()
    x = random(6, graph.nodes, 4)
    for row, result in zip(x, layer(x), strict=True):
        assert torch.allclose(reference(row, edges_of(graph)), result, atol=1e-5)


@pytest.mark.parametrize("epsilon", [0.0, 0.7])
@pytest.mark.parametrize("graph", GRAPHS)
def test_isomorphism_layer_equals_gin_of_torch_geometric(graph: Graph, epsilon: float) -> None:
    from torch_geometric.nn import GINConv

    layer = GraphIsomorphism(graph, 4, 6, learn_epsilon=True)
    torch.nn.init.constant_(layer.epsilon, epsilon)
    reference = GINConv(layer.mlp, eps=epsilon)
    x = random(6, graph.nodes, 4)
    for row, result in zip(x, layer(x), strict=True):
        assert torch.allclose(reference(row, edges_of(graph)), result, atol=1e-5)
    fixed = GraphIsomorphism(graph, 4, 6, learn_epsilon=False)
    fixed.mlp = layer.mlp
    assert torch.equal(fixed(x), layer(x)) == (epsilon == 0)


def test_residual_block_equals_its_formula() -> None:
    block = ResidualBlock(3)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)
    x = random(2, 3, 4, 5)

    def norm(planes: Tensor, layer: Any) -> Tensor:
        mean = planes.mean((1, 2, 3), keepdim=True)
        deviation = (planes.var((1, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
        scaled = (planes - mean) / deviation
        return scaled * layer.weight[:, None, None] + layer.bias[:, None, None]

    hidden = F.conv2d(norm(x, block.first_norm).relu(), block.first.weight, block.first.bias, 1, 1)
    hidden = norm(hidden, block.second_norm).relu()
    expected = x + F.conv2d(hidden, block.second.weight, block.second.bias, 1, 1)
    assert torch.allclose(block(x), expected, atol=1e-4)


# --- nodes and edges -----------------------------------------------------------------------------


def layers(name: str, graph: Graph, sizes: tuple[int, ...] = (4, 6, 6)) -> Module:
    torch.manual_seed(0)
    stack: Module = {
        "gcn": GCN(),
        "gat": GAT(width=6, heads=2),
        "gin": GIN(),
    }[name]._stack(graph, list(sizes))
    return stack


def relabelled(graph: Graph, place: list[int]) -> Graph:
    """Node i of the graph becomes node place[i]."""
    return Graph(graph.nodes, tuple(sorted((place[a], place[b]) for a, b in graph.edges)))


@pytest.mark.parametrize("name", ["gcn", "gat", "gin"])
@pytest.mark.parametrize("graph", GRAPHS)
def test_output_is_equivariant_under_permutations_of_nodes_and_graph(
    name: str, graph: Graph
) -> None:
    place = torch.randperm(graph.nodes, generator=torch.Generator().manual_seed(3)).tolist()
    original, permuted = layers(name, graph), layers(name, relabelled(graph, place))
    x = random(3, graph.nodes, 4)
    moved = torch.empty_like(x)
    moved[:, place] = x
    assert torch.allclose(permuted(moved)[:, place], original(x), atol=1e-5)
    assert not torch.allclose(original(moved)[:, place], original(x), atol=1e-3)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("name", ["gcn", "gat", "gin"])
def test_one_layer_reaches_exactly_the_neighbours(name: str, depth: int) -> None:
    stack = layers(name, PATH, (4, *[6] * depth))
    x, other = random(5, 9, 4), random(5, 9, 4, seed=1)
    other[:, 1:] = x[:, 1:]
    changed = (stack(x) - stack(other)).abs().amax((0, 2))
    assert (changed > 0).tolist() == [cell <= depth for cell in range(9)]


def test_node_attends_to_its_neighbours_and_itself() -> None:
    near, held = neighbourhoods(STAR)
    lists = [set(row[on].tolist()) for row, on in zip(near, held, strict=True)]
    assert lists == [{0, 1, 2, 3}, {0, 1}, {0, 2, 3}, {0, 2, 3}, {4}]
    assert held.sum(1).tolist() == [4, 2, 3, 3, 1]


def test_attention_weights_by_hand() -> None:
    """Two joined nodes, one head of one feature: alpha = softmax(a leaky_relu(t x_i + s x_j))."""
    layer = GraphAttention(Graph(2, ((0, 1), (1, 0))), 1, 1, 1)
    for parameter, number in zip(
        (layer.source.weight, layer.source.bias, layer.target.weight, layer.score),
        (2.0, 0.0, -1.0, 0.5),
        strict=True,
    ):
        torch.nn.init.constant_(parameter, number)
    result = layer(torch.tensor([[[1.0], [-2.0]]]))[0, :, 0]
    # S x = (2, -4), T x = (-1, 2). Node 0: leaky(1) = 1, leaky(-5) = -1; node 1: 4 and -0.4.
    zero = torch.tensor([0.5, -0.5]).softmax(0) @ torch.tensor([2.0, -4.0])
    one = torch.tensor([2.0, -0.2]).softmax(0) @ torch.tensor([2.0, -4.0])
    assert torch.allclose(result, torch.stack([zero, one]))


def test_attention_without_edges_is_a_linear_layer() -> None:
    stack: Any = layers("gat", Graph(9, ()))
    assert isinstance(stack, LayerStack)
    x = random(3, 9, 4)
    first, second = (layer.source for layer in stack.layers)
    assert torch.allclose(stack(x), second(first(x).relu()), atol=1e-6)
    count = sum(p.numel() for p in stack.parameters())
    assert count == (4 * 6 + 6) + (6 * 6 + 6)  # of no scores, which would have nothing to say


def test_transformer_without_positions_is_permutation_equivariant() -> None:
    place = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    board = random(4, 3, 3, 3)
    moved = board.flatten(2)[..., place].view(4, 3, 3, 3)
    for position in ("none", "coordinates", "learned"):
        encoder = built(Transformer(latent_kind="nodes", position=position), TicTacToe().spec())
        blind = torch.allclose(encoder(moved), encoder(board)[:, place], atol=1e-5)
        assert blind == (position == "none")


def test_every_transformer_token_depends_on_all_cells() -> None:
    encoder = built(Transformer(latent_kind="nodes", depth=1), TicTacToe().spec())
    board = random(4, 3, 3, 3)
    other = board.clone()
    other[..., 2, 2] += 1
    assert bool(((encoder(board) - encoder(other)).abs().amax((0, 2)) > 1e-6).all())


# --- sizes ---------------------------------------------------------------------------------------


def built(config: RepresentationConfig, environment: EnvironmentSpec, seed: int = 0) -> Module:
    torch.manual_seed(seed)
    return config.build(environment)


def board(size: int) -> EnvironmentSpec:
    return Gomoku(size=size, in_line=4).spec()


@pytest.mark.parametrize("config", KEEPING, ids=named)
def test_weights_work_on_boards_of_another_size(config: RepresentationConfig) -> None:
    small, large = built(config, board(5)), built(config, board(7), seed=1)
    names = {name for name, _ in small.named_parameters()}
    assert set(small.state_dict()) == names  # and nothing else that a size could be in
    large.load_state_dict(small.state_dict())
    seen = random(2, 3, 7, 7)
    assert large(seen).shape[1:] == config.latent(board(7)).shape


def test_convolutions_of_central_cells_do_not_depend_on_the_board_size() -> None:
    config = CNN(latent_kind="grid")
    small, large = built(config, board(5)), built(config, board(7), seed=1)
    large.load_state_dict(small.state_dict())
    seen = F.pad(random(2, 3, 5, 5), (1, 1, 1, 1))
    # Two convolutions reach two cells: the middle sees the same through either frame of zeros.
    inner = small(seen[..., 1:-1, 1:-1])[..., 2, 2]
    assert torch.allclose(large(seen)[..., 3, 3], inner, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "halvings", "expected"),
    [
        ((96, 96), 4, (6, 6)),
        ((84, 84), 3, (11, 11)),
        ((400, 600), 5, (13, 19)),
        ((7, 6), 0, (7, 6)),
    ],
)
def test_downsampling_halves_images_the_configured_number_of_times(
    size: tuple[int, int], halvings: int, expected: tuple[int, int]
) -> None:
    environment = EnvironmentSpec("images", (3, *size), 2)
    config = ResNet(width=4, depth=1, downsample=halvings, latent_kind="grid")
    assert config.latent(environment) == LatentSpec("grid", (4, *expected))
    assert built(config, environment)(random(1, 3, *size)).shape == (1, 4, *expected)


def test_downsampling_limits_the_parameters_for_atari_frames() -> None:
    environment, config = Atari().spec(), ResNet(downsample=4)
    encoder = built(config, environment)
    assert encoder(random(2, 4, 84, 84)).shape == (2, 96)
    assert sum(p.numel() for p in encoder.parameters()) < 100_000


@pytest.mark.parametrize("cls", [CNN, ResNet, Transformer, GCN, GAT, GIN])
def test_environment_without_cells_is_rejected(cls: Any) -> None:
    with pytest.raises(Incompatible, match=f"representation '{cls.component}'.*'cartpole'"):
        cls().latent(CartPole().spec())


@pytest.mark.parametrize("cls", [GCN, GAT, GIN])
def test_unknown_graph_is_rejected(cls: Any) -> None:
    with pytest.raises(
        Incompatible, match=r"needs the graph 'lines'.*'minatar:breakout' has neighb"
    ):
        cls(graph="lines").latent(MinAtar().spec())


@pytest.mark.parametrize("name", ["gat", "transformer"])
def test_heads_must_divide_the_width(name: str) -> None:
    text = f"preset: muzero\nmodel.representation: {{name: {name}, width: 6}}\n"
    (problem,) = problems_of(text)
    assert problem.startswith("t.yaml:2: model.representation: ")
    assert "width 6 cannot be shared evenly by 4 heads" in problem


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (((0, 1),), "lacks its opposite direction"),
        (((0, 1), (1, 0), (0, 1)), "twice"),
        (((0, 3), (3, 0)), "does not connect"),
        (((1, 1),), "does not connect"),
    ],
)
def test_graph_with_directed_or_duplicate_edges_is_refused(edges: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Graph(3, edges)
