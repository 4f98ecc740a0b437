"""Networks that step a latent, and their building blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.dense import DenseHead, DenseLayer
from workbench.models.layers import ActionPlanes, dense

Marks: TypeAlias = Sequence[Sequence[tuple[int, int]]]
"""For each action, its (plane, cell) pairs; empty if actions enter one-hot."""


class VectorTransition(nn.Module):
    """s + W2 relu(W1 s + E[a])."""

    def __init__(self, size: int, actions: int, width: int) -> None:
        super().__init__()
        self.latent = nn.Linear(size, width)
        self.action = nn.Embedding(actions, width)
        self.out = nn.Linear(width, size)

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """Compute [B, size], [B] -> [B, size]."""
        hidden = F.relu(self.latent(latent) + self.action(action), inplace=True)
        result: Tensor = latent + self.out(hidden)
        return result

    def dense(self) -> DenseHead:
        """Description as dense layers."""
        hidden = DenseLayer(self.latent.weight, self.latent.bias, self.action.weight)
        return DenseHead(hidden, dense(self.out))


class GridTransition(nn.Module):
    """s + conv(relu(conv([s, action planes])))."""

    def __init__(self, shape: tuple[int, ...], actions: int, marks: Marks, width: int) -> None:
        super().__init__()
        channels, height, columns = shape
        self.planes = ActionPlanes(actions, height, columns, marks)
        self.first = nn.Conv2d(channels + self.planes.channels, width, 3, padding=1)
        self.second = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """Compute [B, C, H, W], [B] -> [B, C, H, W]."""
        joined = torch.cat([latent, self.planes(action)], 1)
        result: Tensor = latent + self.second(F.relu(self.first(joined), inplace=True))
        return result


class NodeMarks(nn.Module):
    """An action as features of every node: its marks if it has any, else one-hot."""

    def __init__(self, actions: int, nodes: int, marks: Marks) -> None:
        super().__init__()
        self.planes = ActionPlanes(actions, 1, nodes, marks)
        self.channels = self.planes.channels

    def forward(self, action: Tensor) -> Tensor:
        """Compute [B] -> [B, N, channels]."""
        planes: Tensor = self.planes(action)
        return planes.squeeze(2).transpose(1, 2)


class NodeTransition(nn.Module):
    """s + layers([s, action mark])."""

    def __init__(self, marks: NodeMarks, stack: nn.Module) -> None:
        super().__init__()
        self.marks, self.stack = marks, stack

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """Compute [B, N, F], [B] -> [B, N, F]."""
        result: Tensor = latent + self.stack(torch.cat([latent, self.marks(action)], -1))
        return result


class LinearTransition(nn.Module):
    """s + A_a s + b_a, or with one matrix for all actions s + A s + b_a."""

    def __init__(self, size: int, actions: int, shared: bool) -> None:
        super().__init__()
        bound = size**-0.5  # as in `nn.Linear`
        matrices = torch.empty(1 if shared else actions, size, size)
        self.matrix = nn.Parameter(matrices.uniform_(-bound, bound))
        self.offset = nn.Parameter(torch.empty(actions, size).uniform_(-bound, bound))
        self._shared = shared

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """Compute [B, size], [B] -> [B, size]."""
        if self._shared:
            return latent + F.linear(latent, self.matrix[0]) + self.offset[action]
        # Multiply by all matrices at once, because gathering each row's matrix takes longer.
        by_action = torch.einsum("aij,bj->bai", self.matrix, latent)
        moved = by_action[torch.arange(len(action), device=action.device), action]
        return latent + moved + self.offset[action]


class IdentityTransition(nn.Module):
    """The identity s."""

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """Compute [B, *shape], [B] -> [B, *shape]."""
        return latent

    def dense(self) -> None:
        """Description of an empty transition."""


class EnsembleTransition(nn.Module):
    """Mean of the results of several networks."""

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """Compute [B, *shape], [B] -> [B, *shape]."""
        return torch.stack([member(latent, action) for member in self.members]).mean(0)


class MLPHead(nn.Module):
    """MLP with one hidden layer on a flattened latent of any shape."""

    def __init__(self, shape: tuple[int, ...], width: int, outputs: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(prod(shape), width)
        self.out = nn.Linear(width, outputs)

    def forward(self, latent: Tensor) -> Tensor:
        """Compute [B, *shape] -> [B, outputs]."""
        result: Tensor = self.out(F.relu(self.hidden(latent.flatten(1)), inplace=True))
        return result

    def dense(self) -> DenseHead:
        """Description as dense layers."""
        return DenseHead(dense(self.hidden), dense(self.out))
