"""Boards as graphs: node features, and rewired graphs for controls."""

from __future__ import annotations

import networkx
import torch
from torch import Tensor, nn

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
        nodes = planes.flatten(2).transpose(1, 2)
        where = self.get_buffer("coordinates")
        if not where.numel():
            return nodes
        return torch.cat([nodes, where.expand(len(nodes), -1, -1)], -1)


def rewire(graph: Graph, edges: str) -> Graph:
    """The graph `original`, `empty`, or `shuffled` by double edge swaps that keep every degree.

    Shuffling draws from torch's current random stream, so that it belongs to the seed of the part
    that is being built.
    """
    if edges == "original":
        return graph
    if edges == "empty":
        return Graph(graph.nodes, ())
    shuffled: networkx.Graph[int] = networkx.Graph()
    shuffled.add_nodes_from(range(graph.nodes))
    shuffled.add_edges_from(graph.edges)
    seed = int(torch.randint(2**31, ()))
    swaps = 10 * shuffled.number_of_edges()
    networkx.double_edge_swap(shuffled, nswap=swaps, max_tries=100 * swaps, seed=seed)
    both = {pair for a, b in shuffled.edges for pair in ((a, b), (b, a))}
    return Graph(graph.nodes, tuple(sorted(both)))
