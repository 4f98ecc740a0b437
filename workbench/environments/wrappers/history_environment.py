"""A world seen with its last observations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Generator, Tensor

from workbench.types import (
    Environment,
    EnvironmentSpec,
    LiveEnvironment,
    State,
    Transition,
    choose,
)


@dataclass(frozen=True)
class Remembered:
    """Where the worlds stand, and what they have shown."""

    state: State
    seen: Tensor  # [B, frames, (n,) *observation of the world], oldest first, 0 before it began
    over: Tensor  # [B] bool, nothing new is shown: it has ended, or was cut where that is the end


class HistoryEnvironment:
    """An environment whose observation is the last `frames` of another, oldest first.

    It can be saved and restored where the other can.
    """

    def __init__(self, spec: EnvironmentSpec, world: Environment, frames: int) -> None:
        self.spec = spec
        self._world, self._frames = world, frames

    def reset(self, batch: int, generator: Generator) -> Remembered:
        state = self._world.reset(batch, generator)
        shown = self._world.observe(state)
        seen = shown.new_zeros(batch, self._frames, *shown.shape[1:])
        seen[:, -1] = shown
        return Remembered(state, seen, torch.zeros(batch, dtype=torch.bool))

    def step(
        self, state: Remembered, action: Tensor, generator: Generator
    ) -> tuple[Remembered, Transition]:
        """As of the world; what an ended episode has shown stays as it is."""
        then, transition = self._world.step(state.state, action, generator)
        seen = torch.cat([state.seen[:, 1:], self._world.observe(then)[:, None]], 1)
        over = state.over | transition.terminated
        if not self.spec.copyable:  # such a world stands still when it is cut, others go on
            over = over | transition.truncated
        return Remembered(then, choose(state.over, state.seen, seen), over), transition

    def observe(self, state: Remembered) -> Tensor:
        channels = 1 if self.spec.agents == 1 else 2
        return torch.cat(state.seen.unbind(1), channels)

    def legal(self, state: Remembered) -> Tensor:
        return self._world.legal(state.state)

    def chance(self, state: Remembered) -> Tensor | None:
        return self._world.chance(state.state)

    @property
    def worlds(self) -> Callable[[Remembered], list[Any]]:
        """OpenSpiel's own states, one a row; raises AttributeError where the world has none."""
        inside: Callable[[State], list[Any]] = self._world.worlds  # type: ignore[attr-defined]
        return lambda state: inside(state.state)

    def save(self, state: Remembered) -> Remembered:
        saved = cast(LiveEnvironment, self._world).save(state.state)
        return Remembered(saved, state.seen, state.over)

    def restore(self, saved: Remembered) -> Remembered:
        state = cast(LiveEnvironment, self._world).restore(saved.state)
        return Remembered(state, saved.seen, saved.over)
