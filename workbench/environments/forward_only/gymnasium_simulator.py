"""A Gymnasium environment as a simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from typing_extensions import override

from workbench.components import Incompatible
from workbench.environments.forward_only.simulator_environment import (
    Simulator,
    SimulatorEnvironment,
)
from workbench.types import EnvironmentSpec

Encode = Callable[[Any], NDArray[Any]]
"""Function from a Gymnasium observation to an array in the workbench's layout."""


class GymnasiumSimulator(Simulator):
    """One Gymnasium environment, with observations in the workbench's layout."""

    def __init__(self, environment: gymnasium.Env[Any, Any], encode: Encode) -> None:
        self._environment, self._encode = environment, encode

    @override
    def reset(self, seed: int) -> NDArray[Any]:
        return self._encode(self._environment.reset(seed=seed)[0])

    @override
    def step(self, action: int) -> tuple[NDArray[Any], float, bool, bool]:
        observation, reward, terminated, truncated, _ = self._environment.step(action)
        return self._encode(observation), float(reward), bool(terminated), bool(truncated)


def gymnasium_environment(
    spec: EnvironmentSpec,
    make: Callable[[], gymnasium.Env[Any, Any]],
    discount: float,
    scale: Sequence[float] = (),
) -> SimulatorEnvironment:
    """Return a batched environment of Gymnasium environments.

    Args:
        spec: static properties of the environment.
        make: creates one Gymnasium environment.
        discount: discount factor per step.
        scale: divisor of each entry of a vector observation; empty for no scaling.
    """
    divisor = np.asarray(scale, np.float32) if scale else None

    def simulator() -> GymnasiumSimulator:
        environment = make()
        encode = observation_layout(spec.name, environment.observation_space)[1]
        scaled = encode if divisor is None else lambda observation: encode(observation) / divisor
        return GymnasiumSimulator(environment, scaled)

    return SimulatorEnvironment(spec, simulator, discount)


def observation_layout(name: str, space: Any) -> tuple[tuple[int, ...], Encode]:
    """Return the shape and the encoding function of Gymnasium observations.

    A vector is unchanged, an image [H, W, C] becomes [C, H, W], and one of n numbers becomes a
    one-hot vector [n].

    Raises:
        Incompatible: the observation space is of another kind.
    """
    if isinstance(space, spaces.Discrete):
        return (int(space.n),), partial(_one_hot, int(space.n), int(space.start))
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return space.shape, partial(np.asarray, dtype=np.float32)
    if isinstance(space, spaces.Box) and len(space.shape) == 3:
        height, width, channels = space.shape
        dtype = space.dtype if space.dtype in (np.bool_, np.uint8) else np.float32
        return (channels, height, width), partial(_channels_first, np.dtype(dtype))
    raise Incompatible(
        f"environment '{name}' has the observation space {space}; allowed are a vector (Box), an "
        "image [H, W, C] (Box) and Discrete; add `wrappers`, such as FlattenObservation"
    )


def action_count(name: str, space: Any) -> int:
    """Return the number of actions.

    Raises:
        Incompatible: the actions are not 0..n-1.
    """
    if isinstance(space, spaces.Discrete) and int(space.start) == 0:
        return int(space.n)
    raise Incompatible(
        f"environment '{name}' has the action space {space}; allowed is Discrete, one of 0..n-1"
    )


def _one_hot(size: int, start: int, number: Any) -> NDArray[Any]:
    encoded: NDArray[Any] = np.arange(size) == int(number) - start
    return encoded


def _channels_first(dtype: np.dtype[Any], image: Any) -> NDArray[Any]:
    return np.asarray(image, dtype).transpose(2, 0, 1)
