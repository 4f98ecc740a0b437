"""Graph layers: attention over neighbours, and sums over neighbours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.aggregation import NeighbourAggregation, NodesLinear, adjacency_of
from workbench.types import Graph


class GraphAttention(nn.Module):
    """Graph attention layer with dynamic scores (GATv2: Brody et al. 2022, eq. 7).

    Node i attends to itself and its neighbours j with a . leaky_relu(T x_i + S x_j), a softmax over
    j, and becomes the weighted sum of S x_j. The results of the heads are concatenated. Neighbour
    lists are padded to one length, so that one call gathers all. Without edges a node attends to
    itself only, and the scores have no learned effect.
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
        """Compute [B, N, channels] -> [B, N, width]."""
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
    """[N, longest] List each node with its neighbours, and mask the padding."""
    lists = [[node] for node in range(graph.nodes)]
    for a, b in graph.edges:
        lists[a].append(b)
    longest = max(map(len, lists))
    near = torch.tensor([[*found, *found[:1] * (longest - len(found))] for found in lists])
    held = torch.arange(longest) < torch.tensor([len(found) for found in lists])[:, None]
    return near, held


class GraphIsomorphism(nn.Module):
    """Graph isomorphism layer: mlp((1 + eps) x + sum of the neighbours' x).

    Xu et al. 2019, eq. 4.1, without batch normalisation, which would make rows dependent.
    """

    def __init__(self, graph: Graph, channels: int, width: int, learn_epsilon: bool) -> None:
        super().__init__()
        layers = (NodesLinear(channels, width), nn.ReLU(), NodesLinear(width, width))
        self.mlp = nn.Sequential(*layers)
        self.epsilon = nn.Parameter(torch.zeros(())) if learn_epsilon else 0.0
        self.mixing = NeighbourAggregation(adjacency_of(graph))

    def forward(self, nodes: Tensor) -> Tensor:
        """Compute [B, N, channels] -> [B, N, width]."""
        result: Tensor = self.mlp((1 + self.epsilon) * nodes + self.mixing(nodes))
        return result
