"""Boards as graphs: node features, and rewired graphs for controls."""

from __future__ import annotations

import networkx
import torch
from torch import Tensor, nn

from workbench.models.layers import cells_of
from workbench.types import Graph


class BoardNodes(nn.Module):
    """Planes [B, C, H, W] as node features [B, H*W, C], with row and column on request."""

    def __init__(self, observation: tuple[int, ...], coordinates: bool) -> None:
        super().__init__()
        channels, height, width = observation
        self.features = channels + 2 * coordinates
        rows, columns = torch.linspace(0, 1, height), torch.linspace(0, 1, width)
        grid = torch.cartesian_prod(rows, columns) if coordinates else torch.empty(0)
        self.register_buffer("coordinates", grid, persistent=False)

    def forward(self, planes: Tensor) -> Tensor:
        nodes = cells_of(planes)
        where = self.get_buffer("coordinates")
        if not where.numel():
            return nodes
        return torch.cat([nodes, where.expand(len(nodes), -1, -1)], -1)


class Places(nn.Module):
    """Adds to every node a learned embedding of its place. [B, N, width] -> [B, N, width]"""

    def __init__(self, nodes: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(0.02 * torch.randn(nodes, width))

    def forward(self, nodes: Tensor) -> Tensor:
        return nodes + self.embedding


DRAWS = 100
"""Random graphs drawn for one shuffled graph: on a small board many are close to the original."""


def rewire(graph: Graph, edges: str) -> Graph:
    """The graph `original`, `empty`, or `shuffled`: every degree kept, most edges others.

    Of many graphs drawn by double edge swaps it is the one that keeps the fewest edges; some stay
    where the degrees force them. Drawing uses torch's current random stream, so that the graph
    belongs to the seed of the part that is being built.
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
        networkx.double_edge_swap(drawn, nswap=swaps, max_tries=100 * swaps, seed=seed)
        both = {pair for a, b in drawn.edges for pair in ((a, b), (b, a))}
        found.append(Graph(graph.nodes, tuple(sorted(both))))
    return min(found, key=lambda other: shared_edges(graph, other))


def shared_edges(graph: Graph, other: Graph) -> int:
    """How many undirected edges two graphs have in common."""
    return len(set(graph.edges) & set(other.edges)) // 2
