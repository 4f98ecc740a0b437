"""Control problems as a batched environment: a state is a row of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Generator, Tensor

from workbench.types import EnvironmentSpec, Transition

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Physics:
    """A problem as Gymnasium has it. What it steps are n numbers a world, in double precision."""

    begin: Callable[[Numbers], Numbers]
    """Uniform random numbers [B, n] in [0, 1) as where episodes begin: [B, n]."""
    step: Callable[[Numbers, NDArray[np.int64]], tuple[NDArray[np.float32], NDArray[np.bool_]]]
    """Moves states [B, n + 1] on in place by actions [B]; reward [B], and what has ended [B].

    Those that had ended before stay as they are, and gain nothing.
    """
    show: Callable[[Numbers], NDArray[np.floating]]
    """What is observed of [B, n]: [B, D]."""
    numbers: int
    """n"""


class ControlWorlds:
    """Pure functions over a state: [B, n + 1] float64, the numbers and the moves made so far.

    The time limit tells where an episode is cut, and is no wall: a search that looks past it sees
    the world go on.
    """

    def __init__(
        self, spec: EnvironmentSpec, physics: Physics, discount: float, scale: Sequence[float]
    ) -> None:
        self.spec = spec
        self._physics, self._discount = physics, np.float32(discount)
        self._sizes = np.asarray(scale, np.float32)
        self._horizon = float(spec.horizon or np.inf)

    def reset(self, batch: int, generator: Generator) -> Tensor:
        size = (batch, self._physics.numbers)
        uniform = torch.rand(size, dtype=torch.float64, generator=generator).numpy()
        state = np.zeros((batch, self._physics.numbers + 1))
        state[:, :-1] = self._physics.begin(uniform)
        return torch.from_numpy(state)

    def step(
        self, state: Tensor, action: Tensor, generator: Generator
    ) -> tuple[Tensor, Transition]:
        """What has ended stays as it is."""
        then = state.numpy().copy()
        reward, ended = self._physics.step(then, action.numpy())
        discount, cut = _go_on(then, ended, self._discount, self._horizon)
        found = (then, reward, discount, ended, cut)
        moved, *transition = (torch.from_numpy(array) for array in found)
        return moved, Transition(*transition)

    def observe(self, state: Tensor) -> Tensor:
        shown = self._physics.show(state.numpy()[:, :-1])
        return torch.from_numpy(np.divide(shown, self._sizes, dtype=np.float32))

    def legal(self, state: Tensor) -> Tensor:
        allowed = np.empty((len(state), self.spec.actions), np.bool_)
        allowed.fill(True)
        return torch.from_numpy(allowed)

    def chance(self, state: Tensor) -> None:
        return None


@njit(cache=True)
def _go_on(
    state: Numbers, ended: NDArray[np.bool_], discount: np.float32, horizon: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The discount [B] after a step to such states, 0 at an end, and where the limit cuts [B]."""
    onward, cut = np.zeros(len(state), np.float32), np.zeros(len(state), np.bool_)
    for row in range(len(state)):
        if not ended[row]:
            onward[row], cut[row] = discount, state[row, -1] >= horizon
    return onward, cut
