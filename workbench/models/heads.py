"""Heads over a latent of any shape, flattened, and over one that has cells."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.dense import DenseHead
from workbench.models.layers import cells_of, marked_planes, mlp
from workbench.models.transitions import FlatHead
from workbench.models.value_encoding import Codec
from workbench.types import Heads


class FlatPrediction(nn.Module):
    """Policy and value of a latent; reward and termination of the edge that led to it."""

    def __init__(
        self,
        shape: tuple[int, ...],
        actions: int,
        width: int,
        value: Codec,
        reward: Codec | None,
    ) -> None:
        super().__init__()
        self.codecs = {"value": value} | ({"reward": reward} if reward else {})
        self._actions = actions
        self.state = FlatHead(shape, width, actions + value.size)
        self.transition = FlatHead(shape, width, reward.size + 1) if reward else None

    def heads(self, latent: Tensor) -> Heads:
        raw = self.state(latent)
        policy, value = raw[..., : self._actions], raw[..., self._actions :]
        return Heads(policy, self.codecs["value"].decode(value), raw={"value": value})

    def edge(self, latent: Tensor) -> dict[str, Tensor]:
        if self.transition is None:
            raise TypeError("these heads were built without those of an edge")
        raw = self.transition(latent)
        return {"reward": raw[..., :-1], "termination": raw[..., -1]}

    def dense(self) -> tuple[DenseHead, DenseHead]:
        """The head of a state and that of an edge."""
        if self.transition is None:
            raise TypeError("these heads were built without those of an edge")
        return self.state.dense(), self.transition.dense()


class CellPrediction(nn.Module):
    """As `FlatPrediction`, of a latent with cells: a grid [B, C, H, W] or nodes [B, N, C].

    A hidden layer is shared by all cells. The policy reads it cell by cell (`MarkedScores`), all
    else its mean and maximum over the cells, neither of which grows with the board.

    Args:
        marks: by action, its (plane, cell) pairs; none for an action that no cell shows.
    """

    def __init__(
        self,
        cells: int,
        features: int,
        marks: Sequence[Sequence[tuple[int, int]]],
        width: int,
        value: Codec,
        reward: Codec | None,
    ) -> None:
        super().__init__()
        self.codecs = {"value": value} | ({"reward": reward} if reward else {})
        self.cell = nn.Linear(features, width)
        self.policy = MarkedScores(marks, cells, width)
        self.value = mlp([2 * width, width, value.size])
        if reward:
            self.edge_cell = nn.Linear(features, width)
            self.transition = mlp([2 * width, width, reward.size + 1])

    def heads(self, latent: Tensor) -> Heads:
        cells = F.relu(self.cell(cells_of(latent)), inplace=True)
        pooled = _pool(cells)
        value = self.value(pooled)
        policy = self.policy(cells, pooled)
        return Heads(policy, self.codecs["value"].decode(value), raw={"value": value})

    def edge(self, latent: Tensor) -> dict[str, Tensor]:
        if "reward" not in self.codecs:
            raise TypeError("these heads were built without those of an edge")
        raw = self.transition(_pool(F.relu(self.edge_cell(cells_of(latent)))))
        return {"reward": raw[..., :-1], "termination": raw[..., -1]}


def _pool(cells: Tensor) -> Tensor:
    """Mean and maximum over the cells. [B, N, width] -> [B, 2 width]"""
    return torch.cat([cells.mean(1), cells.amax(1)], -1)


class MarkedScores(nn.Module):
    """Logits of actions by where they show: the mean of the scores at an action's marks.

    Every cell is scored on each plane of marks by one linear layer. Actions without marks have a
    linear layer over the pooled cells, an output each.
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
        """[B, cells, width], [B, 2 width] -> [B, A]"""
        logits = []
        if self.score is not None:
            logits.append(self.score(cells).flatten(1) @ self.get_buffer("share"))
        if self.rest is not None:
            logits.append(self.rest(pooled) @ self.get_buffer("place"))
        return torch.stack(logits).sum(0)


class CellDecoder(nn.Module):
    """The planes of each cell, by one linear layer, from the same cell of a grid or of nodes."""

    def __init__(self, features: int, observation: tuple[int, ...]) -> None:
        super().__init__()
        channels, *self._board = observation
        self.read = nn.Linear(features, channels)

    def forward(self, latent: Tensor) -> Tensor:
        """[B, *latent] -> [B, C, H, W]"""
        planes: Tensor = self.read(cells_of(latent)).transpose(1, 2)
        return planes.reshape(*planes.shape[:2], *self._board)
