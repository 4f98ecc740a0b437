"""Where the true state stands among others, by distance from what was imagined."""

from __future__ import annotations

import torch
from torch import Tensor


def ranks(query: Tensor, candidates: Tensor, true: Tensor) -> Tensor:
    """The rank of each query's true candidate by distance, 1 the nearest; ties count half. [Q]

    So a model that encodes everything alike ranks in the middle. C-SWM (Kipf et al. 2020) puts the
    true one before its ties in its code, where such a model is perfect.

    Args:
        query: [Q, D]
        candidates: [C, D]
        true: which of the candidates each query should be nearest to. [Q] int64
    """
    # Not by way of a matrix product: its rounding would break ties.
    mode = "donot_use_mm_for_euclid_dist"
    distance = torch.cdist(query, candidates, compute_mode=mode)
    own = distance.gather(1, true[:, None])
    nearer, tied = (distance < own).sum(1), (distance == own).sum(1) - 1
    return 1 + nearer + tied / 2


def scores(rank: Tensor) -> dict[str, Tensor]:
    """Hits@1, Hits@5 and reciprocal rank of every query. [Q] each"""
    return {"hits_1": (rank <= 1).float(), "hits_5": (rank <= 5).float(), "mrr": 1 / rank}


def by_chance(candidates: int) -> dict[str, float]:
    """What a random order of so many candidates scores on average."""
    rank = torch.arange(1, candidates + 1, dtype=torch.float64)
    return {name: float(score.double().mean()) for name, score in scores(rank).items()}
