"""Rank of the true state among others, by distance to an unrolled latent."""

from __future__ import annotations

import torch
from torch import Tensor


def ranks(query: Tensor, candidates: Tensor, true: Tensor) -> Tensor:
    """[Q] Return the rank of each query's true candidate by distance, 1 being the nearest.

    Ties count half, so that a model that encodes everything alike ranks in the middle. The code of
    C-SWM (Kipf et al. 2020) puts the true one before its ties, where such a model is perfect.

    Args:
        query: [Q, D]
        candidates: [C, D]
        true: [Q] int64 index of each query's true candidate.
    """
    # Not as a matrix product, whose rounding would break ties.
    mode = "donot_use_mm_for_euclid_dist"
    distance = torch.cdist(query, candidates, compute_mode=mode)
    own = distance.gather(1, true[:, None])
    nearer, tied = (distance < own).sum(1), (distance == own).sum(1) - 1
    return 1 + nearer + tied / 2


def scores(rank: Tensor) -> dict[str, Tensor]:
    """[Q] each: Hits@1, Hits@5 and reciprocal rank of every query."""
    return {"hits_1": (rank <= 1).float(), "hits_5": (rank <= 5).float(), "mrr": 1 / rank}


def random_scores(candidates: int) -> dict[str, float]:
    """Return the mean scores of a random order of `count` candidates."""
    rank = torch.arange(1, candidates + 1, dtype=torch.float64)
    return {name: float(score.double().mean()) for name, score in scores(rank).items()}
