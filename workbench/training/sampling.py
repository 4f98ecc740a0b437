"""Numbers drawn in proportion to weights."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Generator, Tensor

AHEAD = 2048
"""Uniform numbers drawn at once: so soon after a search each call of torch takes long."""

NEVER = 2**63 - 1
"""A move that no episode comes to."""

Singles: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
Whole: TypeAlias = NDArray[np.int64]


def draw(weights: Tensor, generator: Generator) -> Tensor:
    """An index of the last dimension of `weights` [..., A] each: [...].

    Index i is drawn with probability w_i / sum w, one of weight 0 never; the sum must not be 0.
    """
    rows = weights.numpy().reshape(-1, weights.shape[-1])
    drawn = _draw(rows, _uniform(len(rows), generator))
    return torch.from_numpy(drawn).view(weights.shape[:-1])


class Picks:
    """Picks moves of plans: some drawn, the others the best. Its numbers are drawn ahead."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._ahead: Doubles = np.empty(0)

    def __call__(
        self, weights: Tensor, policy: Tensor, q: Tensor, age: Tensor, until: int | None
    ) -> Tensor:
        """As `draw` where `age` is below `until`, elsewhere the best move, as `Plan.best` has it.

        Numbers are used up only where a row wants one.

        Args:
            weights, policy, q: [B, ..., A]
            age: [B] int64
            until: None for no end.

        Returns:
            moves [B, ...]
        """
        *batch, actions = policy.shape
        flat = (part.numpy().reshape(-1, actions) for part in (weights, policy, q))
        by_weight, by_policy, by_q = flat
        count = len(by_weight)
        if len(self._ahead) < count:
            more = _uniform(max(count, AHEAD), self._generator)
            self._ahead = np.concatenate([self._ahead, more])
        end = NEVER if until is None else until
        picked = np.empty(batch, np.int64)
        moves = picked.reshape(-1)
        if _pick(by_weight, by_policy, by_q, self._ahead, age.numpy(), end, moves):
            self._ahead = self._ahead[count:]
        return torch.from_numpy(picked)

    def state_dict(self) -> dict[str, Any]:
        return {"ahead": torch.from_numpy(self._ahead.copy())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._ahead = state["ahead"].numpy()


def _uniform(count: int, generator: Generator) -> Doubles:
    return torch.rand(count, dtype=torch.float64, generator=generator).numpy()


@njit(cache=True)
def _draw(weights: Singles, uniform: Doubles) -> Whole:
    drawn = np.empty(len(weights), np.int64)
    for row in range(len(weights)):
        drawn[row] = _drawn(weights[row], uniform[row])
    return drawn


@njit(cache=True)
def _pick(
    weights: Singles,
    policy: Singles,
    q: Singles,
    uniform: Doubles,
    age: Whole,
    end: int,
    picked: Whole,
) -> bool:
    """Whether any was drawn; several in a row may be of one age."""
    rows, any_drawn = len(picked), False
    for row in range(rows):
        if age[row * len(age) // rows] < end:
            picked[row] = _drawn(weights[row], uniform[row])
            any_drawn = True
        else:
            picked[row] = _best(policy[row], q[row])
    return any_drawn


@njit(cache=True)
def _drawn(weights: Singles, uniform: float) -> int:
    total, last = 0.0, 0
    for i in range(len(weights)):
        total += weights[i]
        last = i if weights[i] > 0 else last
    point, up_to, index = uniform * total, 0.0, 0
    for i in range(len(weights)):
        up_to += weights[i]
        index += up_to <= point
    # Rounded up to the total itself, a number would lie beyond the last.
    return min(index, last)


@njit(cache=True)
def _best(policy: Singles, q: Singles) -> int:
    found = 0
    for i in range(1, len(policy)):
        more, same = policy[i] > policy[found], policy[i] == policy[found]
        if more or (same and q[i] > q[found]):
            found = i
    return found
