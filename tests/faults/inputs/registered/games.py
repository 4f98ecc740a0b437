"""Two Gymnasium environments: one with vector observations, one with Dict observations."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Short(gymnasium.Env[Any, Any]):
    """Every episode has one step, whose reward is the action."""

    action_space = spaces.Discrete(2)
    observation_space: Any = spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> Any:
        return np.ones(2, np.float32), float(action), True, False, {}


class Keyed(Short):
    """The same with a Dict observation."""

    observation_space = spaces.Dict({"a": Short.observation_space, "b": spaces.Discrete(3)})

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        observation, info = super().reset(seed=seed)
        return {"a": observation, "b": 2}, info

    def step(self, action: Any) -> Any:
        observation, *rest = super().step(action)
        return {"a": observation, "b": 1}, *rest


gymnasium.register("faults/Short-v0", Short, disable_env_checker=True)
gymnasium.register("faults/Keyed-v0", Keyed, disable_env_checker=True)
