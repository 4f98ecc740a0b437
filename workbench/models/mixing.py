"""Layers of a fixed graph's nodes, node by node in memory: all boards at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.types import Graph

WIDE = 512
"""Numbers of a node, of all boards together, from which the zeros of a matrix are left out."""
MANY = 8192
"""Rows from which a product is faster as a convolution of 1x1."""


def adjacency_of(graph: Graph) -> Tensor:
    """[N, N], 1 where row's node reads column's."""
    adjacency = torch.zeros(graph.nodes, graph.nodes)
    for a, b in graph.edges:
        adjacency[a, b] = 1.0
    return adjacency


class Mixing(nn.Module):
    """Every node becomes a weighted sum of nodes: a matrix, of which nothing is learned.

    Where at least half of the weights are 0 the others alone are summed, by what PyTorch has for
    sums of a table's rows: on a board of 42 cells in half the time of the product.

    Args:
        matrix: [N, N], row i the weights of the sum that node i becomes.
    """

    matrix: Tensor
    weights: Tensor
    of: Tensor
    starts: Tensor

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        held = matrix != 0
        count = held.sum(1)
        self.register_buffer("matrix", matrix, persistent=False)
        self.register_buffer("weights", matrix[held], persistent=False)
        self.register_buffer("of", held.nonzero()[:, 1].contiguous(), persistent=False)
        self.register_buffer("starts", count.cumsum(0) - count, persistent=False)
        self._sparse = 2 * int(count.sum()) <= matrix.numel()

    def forward(self, nodes: Tensor) -> Tensor:
        """[N, B, C] -> [N, B, C]"""
        table = nodes.reshape(len(nodes), -1)
        if self._sparse and table.shape[1] >= WIDE:
            mixed = F.embedding_bag(
                self.of, table, self.starts, mode="sum", per_sample_weights=self.weights
            )
        else:
            mixed = self.matrix @ table
        return mixed.view(nodes.shape)


def by_channel(
    nodes: Tensor, weight: Tensor, bias: Tensor | None = None, relu: bool = False
) -> Tensor:
    """The same linear layer at every node. [N, B, C], [D, C], [D] -> [N, B, D]

    Many rows go to torch's convolutions, which take 0.6 to 0.9 of the time of its products there.
    Of fewer, a weight that widens is laid out by columns: its gradient is then a product of few
    rows instead of one of few columns, which takes up to three times as long. With
    `relu` one follows in place, before the result is a view, which autograd would copy for that.
    """
    (outputs, inputs), nodes = weight.shape, nodes.contiguous()
    if nodes.shape[0] * nodes.shape[1] >= MANY:
        planes = nodes.unsqueeze(2).permute(0, 3, 1, 2)  # channels last
        result = F.conv2d(planes, weight[..., None, None], bias)
        result = F.relu(result, inplace=True) if relu else result
        return result.permute(0, 2, 3, 1).squeeze(2)
    result = F.linear(nodes, weight.T.contiguous().T if outputs > inputs else weight, bias)
    return F.relu(result, inplace=True) if relu else result


class NodesLinear(nn.Linear):
    """A linear layer of the nodes' channels. [N, B, C] -> [N, B, D]"""

    def forward(self, nodes: Tensor) -> Tensor:
        return by_channel(nodes, self.weight, self.bias)
