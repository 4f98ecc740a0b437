"""Sampling of actions from categorical distributions."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Generator, Tensor

PREFETCH = 2048
"""Number of uniform numbers drawn per torch call; right after a search, each call is slow."""

NEVER = 2**63 - 1
"""Step that no episode reaches."""

Singles: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
Whole: TypeAlias = NDArray[np.int64]


def sample_categorical(weights: Tensor, generator: Generator) -> Tensor:
    """[...] Sample an index per row of `weights` [..., A].

    Index i has probability w_i / sum w, and weight 0 is never drawn; the sum must not be 0.
    """
    rows = weights.numpy().reshape(-1, weights.shape[-1])
    drawn = _draw(rows, _uniform(len(rows), generator))
    return torch.from_numpy(drawn).view(weights.shape[:-1])


class ActionSampler:
    """Selects the actions of plans, sampled or greedy. It draws random numbers in advance."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._ahead: Doubles = np.empty(0)

    def __call__(
        self, weights: Tensor, policy: Tensor, q: Tensor, age: Tensor, until: int | None
    ) -> Tensor:
        """[B, ...] Sample rows whose `age` is below `until`; else act as `Plan.best_action`.

        Random numbers are consumed only if a row samples.

        Args:
            weights: [B, ..., A] sampling weights.
            policy: [B, ..., A] policy of the plan, maximised by greedy rows.
            q: [B, ..., A] values that break ties of the policy.
            age: [B] int64, number of steps of each episode.
            until: number of sampled steps per episode; None samples all.
        """
        *batch, actions = policy.shape
        flat = (part.numpy().reshape(-1, actions) for part in (weights, policy, q))
        by_weight, by_policy, by_q = flat
        count = len(by_weight)
        if len(self._ahead) < count:
            more = _uniform(max(count, PREFETCH), self._generator)
            self._ahead = np.concatenate([self._ahead, more])
        end = NEVER if until is None else until
        picked = np.empty(batch, np.int64)
        moves = picked.reshape(-1)
        if _pick(by_weight, by_policy, by_q, self._ahead, age.numpy(), end, moves):
            self._ahead = self._ahead[count:]
        return torch.from_numpy(picked)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"ahead": torch.from_numpy(self._ahead.copy())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self._ahead = state["ahead"].numpy()


def _uniform(count: int, generator: Generator) -> Doubles:
    return torch.rand(count, dtype=torch.float64, generator=generator).numpy()


@njit(cache=True)
def _draw(weights: Singles, uniform: Doubles) -> Whole:
    drawn = np.empty(len(weights), np.int64)
    for row in range(len(weights)):
        drawn[row] = _sample_rows(weights[row], uniform[row])
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
    """Return whether any row sampled; consecutive rows may share one age."""
    rows, any_drawn = len(picked), False
    for row in range(rows):
        if age[row * len(age) // rows] < end:
            picked[row] = _sample_rows(weights[row], uniform[row])
            any_drawn = True
        else:
            picked[row] = _best(policy[row], q[row])
    return any_drawn


@njit(cache=True)
def _sample_rows(weights: Singles, uniform: float) -> int:
    total, last = 0.0, 0
    for i in range(len(weights)):
        total += weights[i]
        last = i if weights[i] > 0 else last
    point, up_to, index = uniform * total, 0.0, 0
    for i in range(len(weights)):
        up_to += weights[i]
        index += up_to <= point
    # If rounding lifts `point` to the total, the index would exceed the last one.
    return min(index, last)


@njit(cache=True)
def _best(policy: Singles, q: Singles) -> int:
    found = 0
    for i in range(1, len(policy)):
        more, same = policy[i] > policy[found], policy[i] == policy[found]
        if more or (same and q[i] > q[found]):
            found = i
    return found
