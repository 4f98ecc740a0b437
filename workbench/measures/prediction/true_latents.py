"""The true states of an evaluation set, each once, and what a model's h makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from workbench.measures.prediction.evaluation_set import EvaluationSet
from workbench.models.world_model import WorldModel
from workbench.types import Latent, State, gather, map_tensors

ROUNDING = 1e-12
"""A variance of no more than this share of the mean square is rounding, and no difference."""

AT_ONCE = 2**24
"""Numbers that are encoded together: some hundreds of Atari's screens, any set of boards."""


@dataclass(frozen=True)
class DistinctStates:
    """Non-terminal states, no two of which look the same to the mover."""

    state: State | None  # [N, ...]
    observation: Tensor  # [N, *observation]

    def __len__(self) -> int:
        return len(self.observation)

    def encode(self, agent: WorldModel) -> Latent:
        """h of every state: [N, ...]"""
        many = max(1, AT_ONCE // self.observation[0].numel())
        rows = torch.split(torch.arange(len(self)), many)
        parts = [
            agent.represent(self.observation[some], Generator(), gather(self.state, some))
            for some in rows
        ]
        return parts[0] if len(parts) == 1 else map_tensors(lambda *t: torch.cat(t), *parts)


def distinct(observation: Tensor, state: State | None) -> tuple[DistinctStates, Tensor]:
    """The states [B, ...] by their observations, each once, and for every row its number. [B]"""
    kept, number = looking_apart(observation)
    return DistinctStates(gather(state, kept), observation[kept]), number


def looking_apart(observation: Tensor) -> tuple[Tensor, Tensor]:
    """First rows of [B, *observation] that look different, and for every row which it looks like.

    Both int64, [N] and [B]; the rows are in order of what they look like.
    """
    rows = observation.flatten(1).contiguous().numpy()
    looks = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, number = np.unique(looks, return_index=True, return_inverse=True)
    return torch.from_numpy(first), torch.from_numpy(number)


def visited(sequences: EvaluationSet) -> tuple[DistinctStates, Tensor]:
    """The states of all sequences, and which of them each step is at: [S, K+1], -1 past the end."""
    alive = sequences.before_end
    state = map_tensors(lambda states: states[alive], sequences.state)
    states, number = distinct(sequences.observation[alive], state)
    row = torch.full(alive.shape, -1)
    row[alive] = number
    return states, row


def flat(agent: WorldModel, latent: Latent) -> Tensor:
    """[B, D] float32 on the CPU, the code of a latent; see `WorldModel.code`."""
    return agent.code(latent).flatten(1).float().cpu()


def distance_apart(code: Tensor) -> float | None:
    """Mean square distance of two codes drawn from [N, D]: 2 x their total variance.

    None where the codes are all the same: nothing can be far or near in terms of it.
    """
    exact = code.double()
    variance = float(exact.var(0, correction=0).sum())
    square = float(exact.square().sum(1).mean())
    return 2 * variance if variance > ROUNDING * square else None
