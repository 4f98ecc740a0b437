"""Networks that step a latent, one for each kind of latent. All are residual."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.layers import ActionPlanes, GraphStack
from workbench.types import Graph

Marks: TypeAlias = Sequence[Sequence[tuple[int, int]]]
"""By action, its (plane, cell) pairs; empty where actions have no place on the board."""


class VectorTransition(nn.Module):
    """s + W2 relu(W1 s + E[a])"""

    def __init__(self, size: int, actions: int, width: int) -> None:
        super().__init__()
        self.latent = nn.Linear(size, width)
        self.action = nn.Embedding(actions, width)
        self.out = nn.Linear(width, size)

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """[B, size], [B] -> [B, size]"""
        hidden = F.relu(self.latent(latent) + self.action(action))
        result: Tensor = latent + self.out(hidden)
        return result


class GridTransition(nn.Module):
    """s + conv(relu(conv([s, action planes])))"""

    def __init__(self, shape: tuple[int, ...], actions: int, marks: Marks, width: int) -> None:
        super().__init__()
        channels, height, columns = shape
        self.planes = ActionPlanes(actions, height, columns, marks)
        self.first = nn.Conv2d(channels + self.planes.channels, width, 3, padding=1)
        self.second = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """[B, C, H, W], [B] -> [B, C, H, W]"""
        joined = torch.cat([latent, self.planes(action)], 1)
        result: Tensor = latent + self.second(F.relu(self.first(joined)))
        return result


class NodeTransition(nn.Module):
    """s + gcn(relu(gcn([s, action mark])))"""

    def __init__(
        self,
        graph: Graph,
        shape: tuple[int, ...],
        actions: int,
        marks: Marks,
        width: int,
        backend: str,
    ) -> None:
        super().__init__()
        nodes, features = shape
        self.marks = ActionPlanes(actions, 1, nodes, marks)
        sizes = [features + self.marks.channels, width, features]
        self.stack = GraphStack(graph, sizes, backend)

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """[B, N, F], [B] -> [B, N, F]"""
        marks = self.marks(action).squeeze(2).transpose(1, 2)
        result: Tensor = latent + self.stack(torch.cat([latent, marks], -1))
        return result


class FlatHead(nn.Module):
    """A perceptron with one hidden layer over a latent of any shape, flattened."""

    def __init__(self, shape: tuple[int, ...], width: int, outputs: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(prod(shape), width)
        self.out = nn.Linear(width, outputs)

    def forward(self, latent: Tensor) -> Tensor:
        """[B, *shape] -> [B, outputs]"""
        result: Tensor = self.out(F.relu(self.hidden(latent.flatten(1))))
        return result
