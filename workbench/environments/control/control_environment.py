"""Classic control problems as a batched environment with vector states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Generator, Tensor
from typing_extensions import override

from workbench.types import Environment, EnvironmentSpec, Transition

Float64Array = NDArray[np.float64]


@dataclass(frozen=True)
class Physics:
    """The dynamics of a control problem, equal to Gymnasium's; states are n float64 numbers."""

    initial_state: Callable[[Float64Array], Float64Array]
    """Function from uniform random numbers [B, n] in [0, 1) to initial states [B, n]."""
    step: Callable[[Float64Array, NDArray[np.int64]], tuple[NDArray[np.float32], NDArray[np.bool_]]]
    """Function of states [B, n + 1] and actions [B] that returns reward [B] and terminated [B].

    It updates the states in place; the last entry counts the steps. Terminal states do not change
    and have reward 0.
    """
    observe: Callable[[Float64Array], NDArray[np.floating]]
    """Function from states [B, n] to observations [B, D]."""
    state_size: int
    """Number of state variables n."""


class ControlEnvironment(Environment):
    """A control problem whose states are [B, n + 1] float64: state variables and a step count.

    The time limit only sets `truncated`. Truncated states can be stepped, so a search can look
    beyond the limit.
    """

    def __init__(
        self, spec: EnvironmentSpec, physics: Physics, discount: float, scale: Sequence[float]
    ) -> None:
        self.spec = spec
        self._physics, self._discount = physics, np.float32(discount)
        self._scale = np.asarray(scale, np.float32)
        self._horizon = float(spec.horizon or np.inf)

    @override
    def reset(self, batch: int, generator: Generator) -> Tensor:
        shape = (batch, self._physics.state_size)
        uniform = torch.rand(shape, dtype=torch.float64, generator=generator).numpy()
        state = np.zeros((batch, self._physics.state_size + 1))
        state[:, :-1] = self._physics.initial_state(uniform)
        return torch.from_numpy(state)

    @override
    def step(
        self, state: Tensor, action: Tensor, generator: Generator
    ) -> tuple[Tensor, Transition]:
        successor = state.numpy().copy()
        reward, terminated = self._physics.step(successor, action.numpy())
        discount, truncated = _continuation(successor, terminated, self._discount, self._horizon)
        arrays = (successor, reward, discount, terminated, truncated)
        next_state, *transition = (torch.from_numpy(array) for array in arrays)
        return next_state, Transition(*transition)

    @override
    def observe(self, state: Tensor) -> Tensor:
        observation = self._physics.observe(state.numpy()[:, :-1])
        return torch.from_numpy(np.divide(observation, self._scale, dtype=np.float32))

    @override
    def legal(self, state: Tensor) -> Tensor:
        mask = np.empty((len(state), self.spec.actions), np.bool_)
        mask.fill(True)
        return torch.from_numpy(mask)

    @override
    def chance(self, state: Tensor) -> None:
        return None


@njit(cache=True)
def _continuation(
    state: Float64Array, terminated: NDArray[np.bool_], discount: np.float32, horizon: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the discounts [B], 0 if terminated, and whether the time limit is reached [B]."""
    discounts, truncated = np.zeros(len(state), np.float32), np.zeros(len(state), np.bool_)
    for row in range(len(state)):
        if not terminated[row]:
            discounts[row], truncated[row] = discount, state[row, -1] >= horizon
    return discounts, truncated
