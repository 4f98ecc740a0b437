"""Layers that several components share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from workbench.models.aggregation import NeighbourAggregation, adjacency_of, node_linear
from workbench.models.dense import DenseLayer
from workbench.types import Graph


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Return linear layers with ReLU between them, with sizes [in, hidden..., out]."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


class FlatMLP(nn.Sequential):
    """`mlp` of flattened inputs: [B, ...] -> [B, sizes[-1]]."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__(nn.Flatten(), mlp(sizes))

    def dense(self) -> tuple[DenseLayer, ...]:
        """Description of its layers, with ReLU between them."""
        return tuple(dense(layer) for layer in self.modules() if isinstance(layer, nn.Linear))


def dense(layer: nn.Linear) -> DenseLayer:
    """Describe a linear layer as a dense layer."""
    return DenseLayer(layer.weight, layer.bias)


def as_input(observation: Tensor, device: torch.device) -> Tensor:
    """Convert an observation to float32; shades are scaled from 0..255 to [0, 1]."""
    moved = observation.to(device)
    return moved.float() / 255 if moved.dtype == torch.uint8 else moved.float()


class LatentNorm(nn.Module):
    """Normalises each sample's latent: `min_max` to [0, 1] (MuZero, appendix G), or otherwise.

    `l2` gives every latent the norm sqrt(n), so that its entries have order 1 at any size.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    @override
    def forward(self, latent: Tensor) -> Tensor:
        if self.kind == "none":
            return latent
        if self.kind == "layer_norm":
            return F.layer_norm(latent, latent.shape[1:])
        axes = tuple(range(1, latent.dim()))
        if self.kind == "l2":
            mean_square = latent.square().mean(axes, keepdim=True)
            return latent * (mean_square + 1e-12).rsqrt()
        low, high = latent.amin(axes, keepdim=True), latent.amax(axes, keepdim=True)
        return (latent - low) / (high - low).clamp(min=1e-5)


def cells_of(latent: Tensor) -> Tensor:
    """Return planes or a grid [B, C, H, W], or nodes [B, N, C], as cells [B, N, C]."""
    return latent.flatten(2).transpose(1, 2) if latent.dim() == 4 else latent


def marked_planes(marks: Sequence[Sequence[tuple[int, int]]], cells: int) -> Tensor:
    """[A, planes, cells] Return the marks of each action as planes of 0 and 1."""
    planes = torch.zeros(len(marks), 1 + max(plane for pairs in marks for plane, _ in pairs), cells)
    for action, pairs in enumerate(marks):
        for plane, cell in pairs:
            planes[action, plane, cell] = 1.0
    return planes


class ActionPlanes(nn.Module):
    """An action as planes over a board: its marks if it has any, else one-hot, constant planes.

    Args:
        marks: for each action, its (plane, cell) pairs, as `EnvironmentSpec.action_planes`.
        height: rows of the board.
        width: columns of the board.
    """

    def __init__(
        self,
        actions: int,
        height: int,
        width: int,
        marks: Sequence[Sequence[tuple[int, int]]] = (),
    ) -> None:
        super().__init__()
        if marks:
            planes = marked_planes(marks, height * width).view(actions, -1, height, width)
        else:
            planes = torch.eye(actions)[:, :, None, None].expand(-1, -1, height, width)
        self.channels = planes.shape[1]
        self.register_buffer("planes", planes.contiguous(), persistent=False)

    def forward(self, action: Tensor) -> Tensor:
        """Compute [B] -> [B, channels, H, W]."""
        planes: Tensor = self.get_buffer("planes")[action]
        return planes


class ResidualBlock(nn.Module):
    """x + conv(relu(norm(conv(relu(norm(x)))))) (He et al. 2016b, fig. 4e).

    Batch normalisation would make the rows of a batch dependent; as in MuZero Unplugged
    (Schrittwieser et al. 2021), layers are normalised per row.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first_norm, self.second_norm = nn.GroupNorm(1, width), nn.GroupNorm(1, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, planes: Tensor) -> Tensor:
        """Compute [B, width, H, W] -> [B, width, H, W]."""
        hidden = self.first(F.relu(self.first_norm(planes), inplace=True))
        result: Tensor = self.second(F.relu(self.second_norm(hidden), inplace=True)).add_(planes)
        return result


def normalised_adjacency(graph: Graph) -> Tensor:
    """[N, N] D^-1/2 (A + I) D^-1/2 (Kipf & Welling 2017)."""
    adjacency = adjacency_of(graph).fill_diagonal_(1.0)
    scale = adjacency.sum(1).rsqrt()
    return scale[:, None] * adjacency * scale[None]


class GraphConvolution(nn.Module):
    """Graph convolution layer over a fixed graph (Kipf & Welling 2017, eq. 2).

    `dense` multiplies by the normalised adjacency, or sums its nonzero entries, an order of
    magnitude faster on a board. `sparse` is torch-geometric's GCNConv over the edge list. Both have
    the same parameters under the same names (`lin.weight`, `bias`) and give equal results. With
    `relu` a ReLU follows. Layers over the same graph can share the aggregation.
    """

    def __init__(
        self,
        graph: Graph,
        channels: int,
        width: int,
        backend: str,
        relu: bool = False,
        mixing: NeighbourAggregation | None = None,
    ) -> None:
        super().__init__()
        # Outside of the module tree: the parameters are shared and must be counted once.
        self._sparse: tuple[nn.Module, ...] = ()
        if backend == "sparse":
            from torch_geometric.nn import GCNConv  # 3 s, so only if it is used

            reference = GCNConv(channels, width, add_self_loops=True, normalize=True)
            self.lin, self.bias, self._sparse = reference.lin, reference.bias, (reference,)
        else:
            self.lin = nn.Linear(channels, width, bias=False)
            self.bias = nn.Parameter(torch.zeros(width))
            bound = sqrt(6 / (channels + width))  # as GCNConv does it, to the last bit
            nn.init.uniform_(self.lin.weight, -bound, bound)
        self.backend, self.relu = backend, relu
        edges = torch.tensor(graph.edges, dtype=torch.int64).reshape(-1, 2).T.contiguous()
        self.register_buffer("edges", edges, persistent=False)
        self.mixing = mixing or NeighbourAggregation(normalised_adjacency(graph))

    def forward(self, nodes: Tensor) -> Tensor:
        """Compute [B, N, channels] -> [B, N, width]."""
        if self.backend == "sparse":
            result: Tensor = self._sparse[0](nodes, self.get_buffer("edges"))
            return F.relu(result) if self.relu else result
        weight = self.lin.weight
        if len(weight) > nodes.shape[2]:  # aggregate on the side with fewer channels
            return node_linear(self.mixing(nodes), weight, self.bias, self.relu)
        result = self.mixing(node_linear(nodes, weight)) + self.bias
        return F.relu(result, inplace=True) if self.relu else result


class LayerStack(nn.Module):
    """Layers with ReLU between them."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    @override
    def forward(self, nodes: Tensor) -> Tensor:
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            nodes = layer(nodes) if i == last else F.relu(layer(nodes))
        return nodes


class GraphStack(nn.Module):
    """Graph convolutions with ReLU between them."""

    def __init__(self, graph: Graph, sizes: Sequence[int], backend: str) -> None:
        super().__init__()
        last, mixing = len(sizes) - 2, NeighbourAggregation(normalised_adjacency(graph))
        self.layers = nn.ModuleList(
            GraphConvolution(graph, before, after, backend, i < last, mixing)
            for i, (before, after) in enumerate(pairwise(sizes))
        )

    @override
    def forward(self, nodes: Tensor) -> Tensor:
        for layer in self.layers:
            nodes = layer(nodes)
        return nodes
