"""A MinAtar game as a simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
from minatar import Environment
from numpy.typing import NDArray


class Game:
    """One game; the seed of an episode alone decides how it goes."""

    def __init__(
        self, name: str, sticky: float, ramping: bool, actions: tuple[int, ...], max_steps: int
    ) -> None:
        self._game = Environment(name, sticky, ramping)
        self._actions, self._max_steps = actions, max_steps
        self._moves = 0

    def reset(self, seed: int) -> NDArray[Any]:
        self._game.seed(seed)
        self._game.reset()
        self._game.last_action = 0  # which the library leaves as the last episode had it
        self._moves = 0
        return self._show()

    def step(self, action: int) -> tuple[NDArray[Any], float, bool, bool]:
        reward, terminated = self._game.act(self._actions[action])
        self._moves += 1
        return self._show(), float(reward), bool(terminated), self._moves >= self._max_steps

    def _show(self) -> NDArray[Any]:
        return np.asarray(self._game.state(), np.bool_).transpose(2, 0, 1)
