"""A MinAtar game as a simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
from minatar import Environment
from numpy.typing import NDArray
from typing_extensions import override

from workbench.environments.forward_only.simulator_environment import Simulator


class MinAtarGame(Simulator):
    """One MinAtar game, deterministic given the seed of the episode and the actions."""

    def __init__(
        self, name: str, sticky: float, ramping: bool, actions: tuple[int, ...], max_steps: int
    ) -> None:
        self._game = Environment(name, sticky, ramping)
        self._actions, self._max_steps = actions, max_steps
        self._steps = 0

    @override
    def reset(self, seed: int) -> NDArray[Any]:
        self._game.seed(seed)
        self._game.reset()
        self._game.last_action = 0  # MinAtar does not reset it
        self._steps = 0
        return self._observe()

    @override
    def step(self, action: int) -> tuple[NDArray[Any], float, bool, bool]:
        reward, terminated = self._game.act(self._actions[action])
        self._steps += 1
        return self._observe(), float(reward), bool(terminated), self._steps >= self._max_steps

    def _observe(self) -> NDArray[Any]:
        return np.asarray(self._game.state(), np.bool_).transpose(2, 0, 1)
