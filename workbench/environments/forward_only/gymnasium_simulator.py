"""A Gymnasium environment as a simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from workbench.components import Misfit
from workbench.environments.forward_only.forward_only_environment import LiveWorlds
from workbench.types import EnvironmentSpec

Encode = Callable[[Any], NDArray[Any]]


class GymSimulator:
    """Steps one Gymnasium environment; what it shows is laid out as the workbench expects it."""

    def __init__(self, world: gymnasium.Env[Any, Any], encode: Encode) -> None:
        self._world, self._encode = world, encode

    def reset(self, seed: int) -> NDArray[Any]:
        return self._encode(self._world.reset(seed=seed)[0])

    def step(self, action: int) -> tuple[NDArray[Any], float, bool, bool]:
        shown, reward, terminated, truncated, _ = self._world.step(action)
        return self._encode(shown), float(reward), bool(terminated), bool(truncated)


def gym_worlds(
    spec: EnvironmentSpec,
    make: Callable[[], gymnasium.Env[Any, Any]],
    discount: float,
    scale: Sequence[float] = (),
) -> LiveWorlds:
    """Worlds of one Gymnasium environment side by side; vectors are divided by `scale`, if any."""
    sizes = np.asarray(scale, np.float32) if scale else None

    def simulator() -> GymSimulator:
        world = make()
        encode = layout(spec.name, world.observation_space)[1]
        return GymSimulator(world, encode if sizes is None else lambda seen: encode(seen) / sizes)

    return LiveWorlds(spec, simulator, discount)


def layout(name: str, space: Any) -> tuple[tuple[int, ...], Encode]:
    """Shape and encoding of a Gymnasium observation.

    A vector stays one, an image [H, W, C] becomes [C, H, W], a number of n becomes one-hot [n].

    Raises:
        Misfit: it is of another kind.
    """
    if isinstance(space, spaces.Discrete):
        return (int(space.n),), partial(_one_hot, int(space.n), int(space.start))
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return space.shape, partial(np.asarray, dtype=np.float32)
    if isinstance(space, spaces.Box) and len(space.shape) == 3:
        height, width, channels = space.shape
        kind = space.dtype if space.dtype in (np.bool_, np.uint8) else np.float32
        return (channels, height, width), partial(_planes, np.dtype(kind))
    raise Misfit(
        f"environment '{name}' shows {space}; observations can be a vector, an image [H, W, C] or "
        "one of n numbers"
    )


def actions(name: str, space: Any) -> int:
    """How many actions there are. Raises Misfit where they are not 0..n-1."""
    if isinstance(space, spaces.Discrete) and int(space.start) == 0:
        return int(space.n)
    raise Misfit(f"environment '{name}' takes actions {space}; they must be one of 0..n-1")


def _one_hot(size: int, start: int, number: Any) -> NDArray[Any]:
    hot: NDArray[Any] = np.arange(size) == int(number) - start
    return hot


def _planes(kind: np.dtype[Any], image: Any) -> NDArray[Any]:
    return np.asarray(image, kind).transpose(2, 0, 1)
