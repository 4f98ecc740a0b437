"""Gated recurrent units whose state is a latent: a vector, a grid or nodes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

from workbench.models.aggregation import NeighbourAggregation, adjacency_of
from workbench.models.layers import ActionPlanes
from workbench.models.transitions import Marks, NodeMarks
from workbench.types import Graph


class Gates(nn.Module):
    """z h + (1 - z) tanh(W x + r U h), with sigmoid gates r and z (Cho et al. 2014).

    As in torch's `GRUCell`, r multiplies U h; eq. 8 of the paper has U (r h).

    Args:
        of_input: x -> the parts of x in the three sums, concatenated along `axis`.
        of_state: h -> the parts of h.
        axis: dimension of the channels.
    """

    def __init__(self, of_input: nn.Module, of_state: nn.Module, axis: int) -> None:
        super().__init__()
        self.of_input, self.of_state, self._axis = of_input, of_state, axis

    @override
    def forward(self, given: Tensor, state: Tensor) -> Tensor:
        reset, keep, new = self.of_input(given).chunk(3, self._axis)
        reset_state, keep_state, new_state = self.of_state(state).chunk(3, self._axis)
        fresh = (new + (reset + reset_state).sigmoid() * new_state).tanh()
        result: Tensor = fresh.lerp(state, (keep + keep_state).sigmoid())
        return result


class VectorGated(nn.Module):
    """Gated unit on a vector; the input is the action's embedding."""

    def __init__(self, size: int, actions: int, embedding: int) -> None:
        super().__init__()
        self.action = nn.Embedding(actions, embedding)
        self.gates = Gates(nn.Linear(embedding, 3 * size), nn.Linear(size, 3 * size), 1)

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """Compute [B, size], [B] -> [B, size]."""
        result: Tensor = self.gates(self.action(action), latent)
        return result


class GridGated(nn.Module):
    """Gated unit on a grid, with 3x3 convolutions (Ballas et al. 2016) and action planes."""

    def __init__(self, shape: tuple[int, ...], actions: int, marks: Marks) -> None:
        super().__init__()
        channels, height, width = shape
        self.planes = ActionPlanes(actions, height, width, marks)

        def convolution(inputs: int) -> nn.Module:
            return nn.Conv2d(inputs, 3 * channels, 3, padding=1)

        self.gates = Gates(convolution(self.planes.channels), convolution(channels), 1)

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """Compute [B, C, H, W], [B] -> [B, C, H, W]."""
        result: Tensor = self.gates(self.planes(action), latent)
        return result


class NodeGated(nn.Module):
    """Gated unit per node; its input is the action mark and its neighbours' mean (0 if none)."""

    def __init__(self, graph: Graph, features: int, marks: NodeMarks) -> None:
        super().__init__()
        self.marks = marks
        of_input = nn.Linear(marks.channels + features, 3 * features)
        self.gates = Gates(of_input, nn.Linear(features, 3 * features), 2)
        around = adjacency_of(graph)
        mean = around / around.sum(1, keepdim=True).clamp(min=1)
        self.mean = NeighbourAggregation(mean)

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """Compute [B, N, F], [B] -> [B, N, F]."""
        near = self.mean(latent)
        result: Tensor = self.gates(torch.cat([self.marks(action), near], -1), latent)
        return result
