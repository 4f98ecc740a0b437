"""Heads on a flattened latent, and heads on a latent with cells."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.dense import DenseHead
from workbench.models.layers import cells_of, marked_planes, mlp
from workbench.models.transitions import MLPHead
from workbench.models.value_encoding import ValueEncoding
from workbench.types import Heads


class FlatPrediction(nn.Module):
    """Policy and value of a latent; reward and termination of the transition to it."""

    def __init__(
        self,
        shape: tuple[int, ...],
        actions: int,
        width: int,
        value: ValueEncoding,
        reward: ValueEncoding | None,
    ) -> None:
        super().__init__()
        self.value_encodings = {"value": value} | ({"reward": reward} if reward else {})
        self._actions = actions
        self.state = MLPHead(shape, width, actions + value.size)
        self.transition = MLPHead(shape, width, reward.size + 1) if reward else None

    def heads(self, latent: Tensor) -> Heads:
        """Return policy and value of latents."""
        raw = self.state(latent)
        policy, value = raw[..., : self._actions], raw[..., self._actions :]
        return Heads(policy, self.value_encodings["value"].decode(value), raw={"value": value})

    def edge(self, latent: Tensor) -> dict[str, Tensor]:
        """Return raw reward and termination of the transitions to latents."""
        if self.transition is None:
            raise TypeError("these heads were built without those of an edge")
        raw = self.transition(latent)
        return {"reward": raw[..., :-1], "termination": raw[..., -1]}

    def dense(self) -> tuple[DenseHead, DenseHead]:
        """Description of the heads of latents and of transitions as dense layers."""
        if self.transition is None:
            raise TypeError("these heads were built without those of an edge")
        return self.state.dense(), self.transition.dense()


class CellPrediction(nn.Module):
    """Heads as `FlatPrediction`, for a latent with cells: a grid [B, C, H, W] or nodes [B, N, C].

    All cells share a hidden layer. The policy reads it per cell (`MarkedScores`), the other heads
    read its mean and maximum over the cells, so that nothing grows with the board.

    Args:
        latent: kind and shape of the latent.
        marks: for each action, its (plane, cell) pairs; empty for an action without cells.
    """

    def __init__(
        self,
        cells: int,
        features: int,
        marks: Sequence[Sequence[tuple[int, int]]],
        width: int,
        value: ValueEncoding,
        reward: ValueEncoding | None,
    ) -> None:
        super().__init__()
        self.value_encodings = {"value": value} | ({"reward": reward} if reward else {})
        self.cell = nn.Linear(features, width)
        self.policy = MarkedScores(marks, cells, width)
        self.value = mlp([2 * width, width, value.size])
        if reward:
            self.edge_cell = nn.Linear(features, width)
            self.transition = mlp([2 * width, width, reward.size + 1])

    def heads(self, latent: Tensor) -> Heads:
        """Return policy and value of latents."""
        cells = F.relu(self.cell(cells_of(latent)), inplace=True)
        pooled = _pool(cells)
        value = self.value(pooled)
        policy = self.policy(cells, pooled)
        return Heads(policy, self.value_encodings["value"].decode(value), raw={"value": value})

    def edge(self, latent: Tensor) -> dict[str, Tensor]:
        """Return raw reward and termination of the transitions to latents."""
        if "reward" not in self.value_encodings:
            raise TypeError("these heads were built without those of an edge")
        raw = self.transition(_pool(F.relu(self.edge_cell(cells_of(latent)))))
        return {"reward": raw[..., :-1], "termination": raw[..., -1]}


def _pool(cells: Tensor) -> Tensor:
    """[B, N, width] -> [B, 2 width] Concatenate mean and maximum over the cells."""
    return torch.cat([cells.mean(1), cells.amax(1)], -1)


class MarkedScores(nn.Module):
    """Logits of actions by their cells: the mean of the scores at an action's (plane, cell) pairs.

    One linear layer scores every cell on each plane. Actions without cells have a linear layer over
    the pooled cells, with one output each.
    """

    def __init__(self, marks: Sequence[Sequence[tuple[int, int]]], cells: int, width: int) -> None:
        super().__init__()
        count = torch.tensor([len(pairs) for pairs in marks])
        self.score = self.rest = None
        if count.any():
            share = marked_planes(marks, cells) / count.clamp(min=1)[:, None, None]
            self.score = nn.Linear(width, share.shape[1])
            self.register_buffer("share", share.permute(2, 1, 0).flatten(0, 1), persistent=False)
        if not count.all():
            place = torch.eye(len(marks))[count == 0]
            self.rest = nn.Linear(2 * width, len(place))
            self.register_buffer("place", place, persistent=False)

    def forward(self, cells: Tensor, pooled: Tensor) -> Tensor:
        """Compute [B, cells, width], [B, 2 width] -> [B, A]."""
        logits = []
        if self.score is not None:
            logits.append(self.score(cells).flatten(1) @ self.get_buffer("share"))
        if self.rest is not None:
            logits.append(self.rest(pooled) @ self.get_buffer("place"))
        return torch.stack(logits).sum(0)


class CellDecoder(nn.Module):
    """Linear layer from a cell of a grid or of nodes to the planes of the same cell."""

    def __init__(self, features: int, observation: tuple[int, ...]) -> None:
        super().__init__()
        channels, *self._board = observation
        self.read = nn.Linear(features, channels)

    def forward(self, latent: Tensor) -> Tensor:
        """Compute [B, *latent] -> [B, C, H, W]."""
        planes: Tensor = self.read(cells_of(latent)).transpose(1, 2)
        return planes.reshape(*planes.shape[:2], *self._board)
