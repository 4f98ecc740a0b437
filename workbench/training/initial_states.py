"""Initial states of training episodes: the environment's own, or after random actions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator

from workbench.training.sampling import sample_categorical
from workbench.training.settings import RandomStartConfig
from workbench.types import Environment, State, tree_leaves, tree_map, tree_unflatten, where

BATCH = 1024
"""Number of initial states that are prepared in one batch."""


class InitialStates:
    """Supplies initial states of episodes, a share of them after random actions."""

    def __init__(
        self, environment: Environment, settings: RandomStartConfig, generator: Generator
    ) -> None:
        self._environment, self._settings = environment, settings
        self._generator = generator
        self._ready: State = None
        self._left = 0
        """Number of prepared states not yet supplied; they are the last ones."""

    def take(self, count: int) -> State:
        """Return the states of `count` new episodes."""
        if not (self._environment.spec.cloneable or self._settings.fraction):
            return self._environment.reset(count, self._generator)
        while self._left < count:
            more = self._play(BATCH)
            if self._left:
                more = tree_map(lambda old, new: torch.cat([old, new]), self._rest(), more)
            self._ready, self._left = more, self._left + BATCH
        taken = self._rest(count)
        self._left -= count
        return taken

    def _rest(self, count: int | None = None) -> State:
        """Return the prepared states not yet supplied, or the first `count` of them."""
        left = self._left
        end = None if count is None else count - left or None
        return tree_map(lambda tensor: tensor[-left or len(tensor) : end], self._ready)

    def _play(self, count: int) -> State:
        """Play `count` random starts; if one ends the episode, the original start is used."""
        environment, generator = self._environment, self._generator
        state = start = environment.reset(count, generator)
        if not self._settings.fraction:
            return state
        length = torch.randint(1, self._settings.max_actions + 1, (count,), generator=generator)
        length *= torch.rand(count, generator=generator) < self._settings.fraction
        over = torch.zeros(count, dtype=torch.bool)
        for ply in range(self._settings.max_actions):
            legal = environment.legal(state)
            # An ended episode has no legal action; it stays unchanged under any action.
            any_move = over.reshape(-1, *[1] * (legal.dim() - 1))
            action = sample_categorical((legal | any_move).float(), generator)
            then, transition = environment.step(state, action, generator)
            playing = (ply < length) & ~over
            state = where(playing, then, state)
            over |= playing & (transition.terminated | transition.truncated)
        return where(over, start, state)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        rest = self._rest()
        return {"ready": [tensor.clone() for tensor in tree_leaves(rest)], "left": self._left}

    def load_state_dict(self, state: dict[str, Any], form: State) -> None:
        """Restore the states; `form` is any state, whose structure is used."""
        self._left = state["left"]
        self._ready = tree_unflatten(form, state["ready"]) if state["ready"] else None
