"""Unique true states of an evaluation set, and their encodings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from workbench.measures.prediction.evaluation_set import EvaluationSet
from workbench.models.world_model import WorldModel
from workbench.types import Latent, State, gather, tree_map

ROUNDING = 1e-12
"""Share of the mean square below which a variance counts as rounding."""

AT_ONCE = 2**24
"""Number of values encoded at once: some hundreds of Atari screens, or any set of boards."""


@dataclass(frozen=True)
class UniqueStates:
    """Non-terminal states with unique observations."""

    state: State | None  # [N, ...]
    observation: Tensor  # [N, *observation]

    def __len__(self) -> int:
        return len(self.observation)

    def encode(self, agent: WorldModel) -> Latent:
        """Encode every state with h: [N, ...]."""
        many = max(1, AT_ONCE // self.observation[0].numel())
        rows = torch.split(torch.arange(len(self)), many)
        parts = [
            agent.represent(self.observation[some], Generator(), gather(self.state, some))
            for some in rows
        ]
        return parts[0] if len(parts) == 1 else tree_map(lambda *t: torch.cat(t), *parts)


def unique_rows(observation: Tensor, state: State | None) -> tuple[UniqueStates, Tensor]:
    """Return the states [B, ...] with unique observations, and the index of each row [B]."""
    kept, number = unique_observations(observation)
    return UniqueStates(gather(state, kept), observation[kept]), number


def unique_observations(observation: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first rows of [B, *observation] with unique observations, and each row's index.

    Both are int64, [N] and [B]; rows are sorted by observation.
    """
    rows = observation.flatten(1).contiguous().numpy()
    looks = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, number = np.unique(looks, return_index=True, return_inverse=True)
    return torch.from_numpy(first), torch.from_numpy(number)


def unique_states(sequences: EvaluationSet) -> tuple[UniqueStates, Tensor]:
    """Return the states of all sequences, and the index of each step: [S, K+1], -1 past the end."""
    alive = sequences.before_end
    state = tree_map(lambda states: states[alive], sequences.state)
    states, number = unique_rows(sequences.observation[alive], state)
    row = torch.full(alive.shape, -1)
    row[alive] = number
    return states, row


def flatten_latent(agent: WorldModel, latent: Latent) -> Tensor:
    """[B, D] float32 on the CPU: the flattened latent; see `WorldModel.latent_tensor`."""
    return agent.latent_tensor(latent).flatten(1).float().cpu()


def mean_pair_distance(code: Tensor) -> float | None:
    """Mean squared distance of two rows drawn from [N, D]: 2 x their total variance.

    None if all rows are equal, because distances have no scale then.
    """
    exact = code.double()
    variance = float(exact.var(0, correction=0).sum())
    square = float(exact.square().sum(1).mean())
    return 2 * variance if variance > ROUNDING * square else None
