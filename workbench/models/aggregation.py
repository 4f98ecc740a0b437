"""Linear operations on the nodes of a fixed graph, for all boards of a batch at once."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from workbench.types import Graph

WIDE = 512
"""Number of values per node, over all boards, from which the sparse product is used."""
MANY = 8192
"""Number of rows from which a 1x1 convolution is faster than a matrix product."""


def adjacency_of(graph: Graph) -> Tensor:
    """[N, N] Adjacency matrix: 1 if the row's node reads the column's node."""
    adjacency = torch.zeros(graph.nodes, graph.nodes)
    for a, b in graph.edges:
        adjacency[a, b] = 1.0
    return adjacency


class SparseRows(nn.Module):
    """Sparse matrix product over the nodes of every board, as weighted sums of table rows.

    Args:
        matrix: [N, N], row i holds the weights of the sum for node i; zeros are skipped.
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
        """Compute [B N, C] -> [B N, C]."""
        boards = len(table) // len(self.starts)
        of, starts, weights = self._of_boards(boards)
        terms = boards * len(self.of)
        summed: Tensor = F.embedding_bag(
            of[:terms], table, starts[: len(table)], mode="sum", per_sample_weights=weights[:terms]
        )
        return summed

    def _of_boards(self, boards: int) -> tuple[Tensor, Tensor, Tensor]:
        """Index tensors for at least `boards` boards; a smaller batch uses their leading part."""
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


class _SparseSum(torch.autograd.Function):
    """Sparse sums whose gradient is again a sparse sum, with the transposed matrix.

    torch's own gradient adds every term to a tensor of zeros, which takes twice as long.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, there: SparseRows, back: SparseRows) -> Tensor:
        ctx.there, ctx.back = there, back
        summed: Tensor = there(table)
        return summed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _summed(gradient.contiguous(), ctx.back, ctx.there), None, None


_summed: Any = _SparseSum.apply


class NeighbourAggregation(nn.Module):
    """Neighbourhood aggregation by a fixed matrix without learned parameters.

    If at least half of the weights are 0, only the others are summed, with PyTorch's embedding
    sums. On many boards of 42 cells this takes a third of the time of a dense product.

    Args:
        matrix: [N, N], row i holds the weights of the sum for node i.
    """

    matrix: Tensor

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix, persistent=False)
        self.there = SparseRows(matrix)
        self.back = self.there if torch.equal(matrix, matrix.T) else SparseRows(matrix.T)
        self._sparse = 2 * len(self.there.of) <= matrix.numel()

    def forward(self, nodes: Tensor) -> Tensor:
        """Compute [B, N, C] -> [B, N, C]."""
        boards, count, channels = nodes.shape
        if self._sparse and boards * channels >= WIDE:
            summed: Tensor = _summed(nodes.reshape(-1, channels), self.there, self.back)
            return summed.view(nodes.shape)
        by_node = nodes.transpose(0, 1).reshape(count, -1)
        return (self.matrix @ by_node).view(count, boards, channels).transpose(0, 1)


def node_linear(
    nodes: Tensor, weight: Tensor, bias: Tensor | None = None, relu: bool = False
) -> Tensor:
    """Apply the same linear layer at every node, with `relu` followed by a ReLU.

    For many rows it calls torch's convolution, which takes 0.6 to 0.9 of the time of a product. For
    fewer rows, a weight that widens is stored by columns, because a gradient that is a product of
    few columns takes up to three times as long.

    Args:
        nodes: [..., N, C]
        weight: [D, C]
        bias: [D]
        relu: whether a ReLU follows.

    Returns:
        Tensor [..., N, D].
    """
    (outputs, inputs), nodes = weight.shape, nodes.contiguous()
    if nodes.shape[:-1].numel() >= MANY:
        # Planes of any shape with this number of cells give the same result.
        planes = nodes.view(nodes.shape[-2], 1, -1, inputs).permute(0, 3, 1, 2)  # channels last
        result = F.conv2d(planes, weight[..., None, None])
        result = result if bias is None else result + bias[:, None, None]
        # In place on a tensor that is not yet a view, because autograd would copy a view.
        result = F.relu(result, inplace=True) if relu else result
        return result.permute(0, 2, 3, 1).reshape(*nodes.shape[:-1], outputs)
    result = F.linear(nodes, weight.T.contiguous().T if outputs > inputs else weight, bias)
    return F.relu(result, inplace=True) if relu else result


class NodesLinear(nn.Linear):
    """Linear layer over the channels of every node: [B, N, C] -> [B, N, D]."""

    @override
    def forward(self, nodes: Tensor) -> Tensor:
        return node_linear(nodes, self.weight, self.bias)
