"""Boards as graphs: node features, and rewired graphs for controls."""

from __future__ import annotations

from contextlib import suppress

import networkx
import torch
from torch import Tensor, nn
from typing_extensions import override

from workbench.models.layers import cells_of
from workbench.types import Graph


class BoardNodes(nn.Module):
    """Converts planes [B, C, H, W] to node features [B, H*W, C], optionally with row and column."""

    def __init__(self, observation: tuple[int, ...], coordinates: bool) -> None:
        super().__init__()
        channels, height, width = observation
        self.features = channels + 2 * coordinates
        rows, columns = torch.linspace(0, 1, height), torch.linspace(0, 1, width)
        grid = torch.cartesian_prod(rows, columns) if coordinates else torch.empty(0)
        self.register_buffer("coordinates", grid, persistent=False)

    @override
    def forward(self, planes: Tensor) -> Tensor:
        nodes = cells_of(planes)
        where = self.get_buffer("coordinates")
        if not where.numel():
            return nodes
        return torch.cat([nodes, where.expand(len(nodes), -1, -1)], -1)


class NodeEmbedding(nn.Module):
    """Adds a learned embedding of its place to every node: [B, N, width] -> [B, N, width]."""

    def __init__(self, nodes: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(0.02 * torch.randn(nodes, width))

    @override
    def forward(self, nodes: Tensor) -> Tensor:
        return nodes + self.embedding


DRAWS = 100
"""Number of random graphs from which a rewired graph is chosen;

on a small board many are close to the original.
"""


def rewire(graph: Graph, edges: str) -> Graph:
    """Return the graph `original`, `empty`, or `shuffled` (degree-preserving rewiring).

    Among random graphs from double edge swaps, `shuffled` takes the one that keeps the fewest
    edges; the degrees force some to stay. The draws use torch's current random stream, so that the
    graph depends on the seed of the component being built.
    """
    if edges == "original":
        return graph
    if edges == "empty":
        return Graph(graph.nodes, ())
    drawn: networkx.Graph[int] = networkx.Graph()
    drawn.add_nodes_from(range(graph.nodes))
    drawn.add_edges_from(graph.edges)
    swaps = 2 * drawn.number_of_edges()
    found = []
    for seed in torch.randint(2**31, (DRAWS,)).tolist():
        # On a board with few possible swaps networkx gives up early and keeps the swaps made.
        with suppress(networkx.NetworkXAlgorithmError):
            networkx.double_edge_swap(drawn, nswap=swaps, max_tries=100 * swaps, seed=seed)
        both = {pair for a, b in drawn.edges for pair in ((a, b), (b, a))}
        found.append(Graph(graph.nodes, tuple(sorted(both))))
    return min(found, key=lambda other: shared_edges(graph, other))


def shared_edges(graph: Graph, other: Graph) -> int:
    """Return the number of undirected edges that two graphs share."""
    return len(set(graph.edges) & set(other.edges)) // 2
