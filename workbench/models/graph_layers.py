"""Layers in which the nodes of a fixed graph read their neighbours by attention or by sums."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.aggregation import Mixing, NodesLinear, adjacency_of
from workbench.types import Graph


class GraphAttention(nn.Module):
    """One layer of graph attention with dynamic scores (GATv2: Brody et al. 2022, eq. 7).

    Node i attends to j, a neighbour or itself, with a . leaky_relu(T x_i + S x_j), a softmax over
    all such j, and becomes the weighted sum of S x_j; the heads' results stand side by side. The
    neighbours of every node are listed to one length, so that all are gathered at once. A node of
    a graph without edges attends to itself alone, and nothing of the scores is left to learn.
    """

    def __init__(self, graph: Graph, channels: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.source = nn.Linear(channels, width)
        nn.init.xavier_uniform_(self.source.weight)
        if graph.edges:
            self.target = nn.Linear(channels, width, bias=False)
            self.score = nn.Parameter(torch.empty(heads, width // heads))
            nn.init.xavier_uniform_(self.target.weight)
            nn.init.xavier_uniform_(self.score)
        near, held = neighbourhoods(graph)
        self.register_buffer("near", near, persistent=False)
        self.register_buffer("held", held, persistent=False)

    def forward(self, nodes: Tensor) -> Tensor:
        """[B, N, channels] -> [B, N, width]"""
        source: Tensor = self.source(nodes)
        near, held = self.get_buffer("near"), self.get_buffer("held")
        if near.shape[1] == 1:
            return source
        around = source.index_select(1, near.flatten()).view(-1, *near.shape, source.shape[-1])
        pairs = F.leaky_relu(self.target(nodes)[:, :, None] + around, 0.2)
        scores = (self._by_head(pairs) * self.score).sum(-1)  # [B, N, longest, heads]
        weights = scores.masked_fill(~held[..., None], -torch.inf).softmax(2)
        mixed: Tensor = (weights[..., None] * self._by_head(around)).sum(2)
        return mixed.flatten(2)

    def _by_head(self, features: Tensor) -> Tensor:
        return features.view(*features.shape[:-1], self.heads, -1)


def neighbourhoods(graph: Graph) -> tuple[Tensor, Tensor]:
    """Every node's list of itself and its neighbours, and which entries count. [N, longest]"""
    lists = [[node] for node in range(graph.nodes)]
    for a, b in graph.edges:
        lists[a].append(b)
    longest = max(map(len, lists))
    near = torch.tensor([[*found, *found[:1] * (longest - len(found))] for found in lists])
    held = torch.arange(longest) < torch.tensor([len(found) for found in lists])[:, None]
    return near, held


class GraphIsomorphism(nn.Module):
    """One layer of a graph isomorphism network: mlp((1 + eps) x + sum of the neighbours' x).

    Xu et al. 2019, eq. 4.1, without its batch normalisation, which would tie rows together.
    """

    def __init__(self, graph: Graph, channels: int, width: int, learn_epsilon: bool) -> None:
        super().__init__()
        layers = (NodesLinear(channels, width), nn.ReLU(), NodesLinear(width, width))
        self.mlp = nn.Sequential(*layers)
        self.epsilon = nn.Parameter(torch.zeros(())) if learn_epsilon else 0.0
        self.mixing = Mixing(adjacency_of(graph))

    def forward(self, nodes: Tensor) -> Tensor:
        """[B, N, channels] -> [B, N, width]"""
        result: Tensor = self.mlp((1 + self.epsilon) * nodes + self.mixing(nodes))
        return result
