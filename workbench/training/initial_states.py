"""Where episodes begin: at the start of the world, or after random moves."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator

from workbench.training.sampling import draw
from workbench.training.settings import OpeningConfig
from workbench.types import Environment, State, choose, leaves, map_tensors, rebuild

AT_ONCE = 1024
"""First states made side by side, to be handed out as they are needed."""


class Openings:
    """Hands out first states of episodes, some of them after random moves."""

    def __init__(
        self, environment: Environment, settings: OpeningConfig, generator: Generator
    ) -> None:
        self._environment, self._settings = environment, settings
        self._generator = generator
        self._ready: State = None
        self._left = 0
        """How many of those that are ready have not been handed out: the last ones."""

    def take(self, count: int) -> State:
        """The states of `count` new episodes."""
        if not (self._environment.spec.copyable or self._settings.fraction):
            return self._environment.reset(count, self._generator)
        while self._left < count:
            more = self._play(AT_ONCE)
            if self._left:
                more = map_tensors(lambda old, new: torch.cat([old, new]), self._rest(), more)
            self._ready, self._left = more, self._left + AT_ONCE
        taken = self._rest(count)
        self._left -= count
        return taken

    def _rest(self, count: int | None = None) -> State:
        """What is ready and has not been handed out, or the first `count` of it."""
        left = self._left
        end = None if count is None else count - left or None
        return map_tensors(lambda tensor: tensor[-left or len(tensor) : end], self._ready)

    def _play(self, count: int) -> State:
        """So many openings; one in which the episode ends gives the start in its place."""
        environment, generator = self._environment, self._generator
        state = start = environment.reset(count, generator)
        if not self._settings.fraction:
            return state
        length = torch.randint(1, self._settings.moves + 1, (count,), generator=generator)
        length *= torch.rand(count, generator=generator) < self._settings.fraction
        over = torch.zeros(count, dtype=torch.bool)
        for ply in range(self._settings.moves):
            legal = environment.legal(state)
            # A world that is over has no legal move; it stays as it is, whatever is played.
            any_move = over.reshape(-1, *[1] * (legal.dim() - 1))
            action = draw((legal | any_move).float(), generator)
            then, transition = environment.step(state, action, generator)
            playing = (ply < length) & ~over
            state = choose(playing, then, state)
            over |= playing & (transition.terminated | transition.truncated)
        return choose(over, start, state)

    def state_dict(self) -> dict[str, Any]:
        rest = self._rest()
        return {"ready": [tensor.clone() for tensor in leaves(rest)], "left": self._left}

    def load_state_dict(self, state: dict[str, Any], form: State) -> None:
        """`form` is a state of the environment: a record of tensors has its form."""
        self._left = state["left"]
        self._ready = rebuild(form, state["ready"]) if state["ready"] else None
