"""Layers of a fixed graph's nodes: every node of all boards at once."""

from __future__ import annotations

from typing import Any

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


class Sums(nn.Module):
    """Weighted sums of the nodes of every board, as sums of rows of one table.

    Args:
        matrix: [N, N], row i the weights of the sum that node i becomes; its zeros are left out.
    """

    of: Tensor
    starts: Tensor
    weights: Tensor

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        held = matrix != 0
        count = held.sum(1)
        self.register_buffer("of", held.nonzero()[:, 1].int(), persistent=False)
        self.register_buffer("starts", (count.cumsum(0) - count).int(), persistent=False)
        self.register_buffer("weights", matrix[held], persistent=False)
        self._repeated = (self.of, self.starts, self.weights)

    def forward(self, table: Tensor) -> Tensor:
        """[B N, C] -> [B N, C]"""
        boards = len(table) // len(self.starts)
        of, starts, weights = self._of_boards(boards)
        terms = boards * len(self.of)
        summed: Tensor = F.embedding_bag(
            of[:terms], table, starts[: len(table)], mode="sum", per_sample_weights=weights[:terms]
        )
        return summed

    def _of_boards(self, boards: int) -> tuple[Tensor, Tensor, Tensor]:
        """What is to be summed, of so many boards or more: of fewer it is what comes first."""
        _, starts, weights = self._repeated
        kept = weights.dtype == self.weights.dtype and weights.device == self.weights.device
        if not kept or len(starts) < boards * len(self.starts):
            board = torch.arange(boards, device=self.of.device, dtype=torch.int32)[:, None]
            self._repeated = (
                (self.of + len(self.starts) * board).flatten(),
                (self.starts + len(self.of) * board).flatten(),
                self.weights.repeat(boards),
            )
        return self._repeated


class _Summed(torch.autograd.Function):
    """Sums whose way back is sums again, by the transposed matrix.

    torch's own adds every term to a table of zeros, in twice the time.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, there: Sums, back: Sums) -> Tensor:
        ctx.there, ctx.back = there, back
        summed: Tensor = there(table)
        return summed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _summed(gradient.contiguous(), ctx.back, ctx.there), None, None


_summed: Any = _Summed.apply


class Mixing(nn.Module):
    """Every node becomes a weighted sum of nodes: a matrix, of which nothing is learned.

    Where at least half of the weights are 0 the others alone are summed, by what PyTorch has for
    sums of a table's rows: on many boards of 42 cells in a third of the time of the product.

    Args:
        matrix: [N, N], row i the weights of the sum that node i becomes.
    """

    matrix: Tensor

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix, persistent=False)
        self.there = Sums(matrix)
        self.back = self.there if torch.equal(matrix, matrix.T) else Sums(matrix.T)
        self._sparse = 2 * len(self.there.of) <= matrix.numel()

    def forward(self, nodes: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C]"""
        boards, count, channels = nodes.shape
        if self._sparse and boards * channels >= WIDE:
            summed: Tensor = _summed(nodes.reshape(-1, channels), self.there, self.back)
            return summed.view(nodes.shape)
        by_node = nodes.transpose(0, 1).reshape(count, -1)
        return (self.matrix @ by_node).view(count, boards, channels).transpose(0, 1)


def by_channel(
    nodes: Tensor, weight: Tensor, bias: Tensor | None = None, relu: bool = False
) -> Tensor:
    """The same linear layer at every node, and with `relu` one after it.

    Many rows go to torch's convolutions, which take 0.6 to 0.9 of the time of its products there.
    Of fewer, a weight that widens is laid out by columns: its gradient is then a product of few
    rows instead of one of few columns, which takes up to three times as long.

    Args:
        nodes: [..., N, C]
        weight: [D, C]
        bias: [D]

    Returns:
        [..., N, D]
    """
    (outputs, inputs), nodes = weight.shape, nodes.contiguous()
    if nodes.shape[:-1].numel() >= MANY:
        # Planes of any shape will do that have so many cells.
        planes = nodes.view(nodes.shape[-2], 1, -1, inputs).permute(0, 3, 1, 2)  # channels last
        result = F.conv2d(planes, weight[..., None, None])
        result = result if bias is None else result + bias[:, None, None]
        # In place on what is no view as yet, which autograd would copy.
        result = F.relu(result, inplace=True) if relu else result
        return result.permute(0, 2, 3, 1).reshape(*nodes.shape[:-1], outputs)
    result = F.linear(nodes, weight.T.contiguous().T if outputs > inputs else weight, bias)
    return F.relu(result, inplace=True) if relu else result


class NodesLinear(nn.Linear):
    """A linear layer of the nodes' channels. [B, N, C] -> [B, N, D]"""

    def forward(self, nodes: Tensor) -> Tensor:
        return by_channel(nodes, self.weight, self.bias)
