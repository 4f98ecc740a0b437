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
    drawn, all_of_them = np.empty(len(rows), np.int64), np.ones(1, np.bool_)
    _draw(rows, _uniform(len(rows), generator), all_of_them, drawn)
    return torch.from_numpy(drawn).view(weights.shape[:-1])


def draw_some(
    weights: Tensor, some: NDArray[np.bool_], policy: Tensor, q: Tensor, generator: Generator
) -> Tensor:
    """As `draw` where `some` [B] hold, elsewhere the best move, as `Plan.best` has it: [B, ...].

    By two kernels: so soon after a search a call of torch takes several times as long. Nothing is
    drawn from the generator where no row wants it.

    Args:
        weights, policy, q: [B, ..., A]
    """
    rows, shape = (-1, policy.shape[-1]), policy.shape[:-1]
    chosen = _best(policy.numpy().reshape(rows), q.numpy().reshape(rows))
    if some.any():
        uniform = _uniform(len(chosen), generator)
        _draw(weights.numpy().reshape(rows), uniform, some, chosen)
    return torch.from_numpy(chosen).view(shape)


def _uniform(count: int, generator: Generator) -> NDArray[np.float64]:
    return torch.rand(count, dtype=torch.float64, generator=generator).numpy()


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
def _draw(
    weights: NDArray[np.float32],
    uniform: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    drawn: NDArray[np.int64],
) -> None:
    """Write an index for each row that is wanted; several in a row may stand for one of those."""
    rows, count = weights.shape
    for row in range(rows):
        if not wanted[row * len(wanted) // rows]:
            continue
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
