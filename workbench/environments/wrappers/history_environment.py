"""Wrapper that stacks the last observations of an environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Generator, Tensor
from typing_extensions import override

from workbench.types import (
    Environment,
    EnvironmentSpec,
    ForwardOnlyEnvironment,
    State,
    Transition,
    where,
)


@dataclass(frozen=True)
class HistoryState:
    """States of the wrapped environment with their last observations."""

    state: State
    frames: Tensor  # [B, frames, (n,) *observation], oldest first, 0 before the episode starts
    over: Tensor  # [B] bool, terminated or no longer steppable, so the frames stay as they are


class HistoryEnvironment(ForwardOnlyEnvironment):
    """An environment that stacks the last `frames` observations of another, oldest first.

    `save` and `restore` work if the wrapped environment has them.
    """

    def __init__(self, spec: EnvironmentSpec, environment: Environment, frames: int) -> None:
        self.spec = spec
        self._environment, self._frames = environment, frames

    @override
    def reset(self, batch: int, generator: Generator) -> HistoryState:
        state = self._environment.reset(batch, generator)
        observation = self._environment.observe(state)
        frames = observation.new_zeros(batch, self._frames, *observation.shape[1:])
        frames[:, -1] = observation
        return HistoryState(state, frames, torch.zeros(batch, dtype=torch.bool))

    @override
    def step(
        self, state: HistoryState, action: Tensor, generator: Generator
    ) -> tuple[HistoryState, Transition]:
        successor, transition = self._environment.step(state.state, action, generator)
        observation = self._environment.observe(successor)
        frames = torch.cat([state.frames[:, 1:], observation[:, None]], 1)
        over = state.over | transition.terminated
        if not self.spec.cloneable:  # a truncated simulator stops, other environments continue
            over = over | transition.truncated
        return HistoryState(successor, where(state.over, state.frames, frames), over), transition

    @override
    def observe(self, state: HistoryState) -> Tensor:
        channels = 1 if self.spec.agents == 1 else 2
        return torch.cat(state.frames.unbind(1), channels)

    @override
    def legal(self, state: HistoryState) -> Tensor:
        return self._environment.legal(state.state)

    @override
    def chance(self, state: HistoryState) -> Tensor | None:
        return self._environment.chance(state.state)

    @property
    def openspiel_states(self) -> Callable[[HistoryState], list[Any]]:
        """Function that returns a new OpenSpiel state for each row.

        Raises:
            AttributeError: the wrapped environment has no OpenSpiel states.
        """
        wrapped: Callable[[State], list[Any]] = self._environment.openspiel_states  # type: ignore[attr-defined]
        return lambda state: wrapped(state.state)

    @override
    def save(self, state: HistoryState) -> HistoryState:
        saved = cast(ForwardOnlyEnvironment, self._environment).save(state.state)
        return HistoryState(saved, state.frames, state.over)

    @override
    def restore(self, saved: HistoryState) -> HistoryState:
        state = cast(ForwardOnlyEnvironment, self._environment).restore(saved.state)
        return HistoryState(state, saved.frames, saved.over)
