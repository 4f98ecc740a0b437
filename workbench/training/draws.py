"""Numbers drawn in proportion to weights."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Generator, Tensor


def draw(weights: Tensor, generator: Generator) -> Tensor:
    """An index of the last dimension of `weights` [..., A] each: [...].

    Index i is drawn with probability w_i / sum w, one of weight 0 never; the sum must not be 0.
    """
    rows = weights.numpy().reshape(-1, weights.shape[-1])
    uniform = torch.rand(len(rows), dtype=torch.float64, generator=generator)
    return torch.from_numpy(_draw(rows, uniform.numpy())).view(weights.shape[:-1])


def best(policy: Tensor, q: Tensor) -> Tensor:
    """As `Plan.best` by policy and q [..., A]: [...].

    By one kernel: so soon after a search a call of torch takes several times as long.
    """
    rows = (-1, policy.shape[-1])
    found = _best(policy.numpy().reshape(rows), q.numpy().reshape(rows))
    return torch.from_numpy(found).view(policy.shape[:-1])


@njit(cache=True)
def _best(policy: NDArray[np.float32], q: NDArray[np.float32]) -> NDArray[np.int64]:
    found = np.zeros(len(policy), np.int64)
    for row in range(len(policy)):
        for i in range(1, policy.shape[1]):
            k = found[row]
            more, same = policy[row, i] > policy[row, k], policy[row, i] == policy[row, k]
            if more or (same and q[row, i] > q[row, k]):
                found[row] = i
    return found


@njit(cache=True)
def _draw(weights: NDArray[np.float32], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    rows, count = weights.shape
    drawn = np.zeros(rows, np.int64)
    for row in range(rows):
        total, last = 0.0, 0
        for i in range(count):
            total += weights[row, i]
            last = i if weights[row, i] > 0 else last
        point, up_to, index = uniform[row] * total, 0.0, 0
        for i in range(count):
            up_to += weights[row, i]
            index += up_to <= point
        # Rounded up to the total itself, a number would lie beyond the last.
        drawn[row] = min(index, last)
    return drawn
