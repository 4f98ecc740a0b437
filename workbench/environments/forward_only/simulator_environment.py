"""A batched environment over a pool of simulators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from typing_extensions import override

from workbench.errors import WorkbenchError
from workbench.types import EnvironmentSpec, ForwardOnlyEnvironment, Transition

SEED_LIMIT = 2**31
"""Exclusive upper bound of episode seeds, because simulators accept 31 bits."""


class Simulator(Protocol):
    """One simulator, deterministic given the seed of the last reset and the actions since then."""

    def reset(self, seed: int) -> NDArray[Any]:
        """Start a new episode and return its first observation."""
        ...

    def step(self, action: int) -> tuple[NDArray[Any], float, bool, bool]:
        """Return observation, reward, terminated and truncated."""
        ...


@dataclass(frozen=True)
class SimulatorState:
    """States of a batch of simulators."""

    slot: Tensor  # [B] int64, index of the simulator in the pool; -1 after the end of its episode
    steps: Tensor  # [B] int64, number of steps of the episode
    terminated: Tensor  # [B] bool
    truncated: Tensor  # [B] bool
    observation: Tensor  # [B, *observation]

    @property
    def over(self) -> Tensor:
        """Whether the episodes have ended, [B] bool."""
        return self.terminated | self.truncated


@dataclass(frozen=True)
class SavedState:
    """States with the seeds and actions from which the simulators can be rebuilt."""

    seed: Tensor  # [B] int64
    action: Tensor  # [B, T] int64, padded with 0 to the longest episode
    state: SimulatorState


@dataclass
class _Episode:
    """A simulator with the seed and the actions of its current episode."""

    simulator: Simulator
    seed: int
    actions: list[int]


class SimulatorEnvironment(ForwardOnlyEnvironment):
    """A batched environment over simulators, which are created on demand and reused."""

    def __init__(
        self, spec: EnvironmentSpec, make: Callable[[], Simulator], discount: float
    ) -> None:
        self.spec = spec
        self._make, self._discount = make, discount
        self._episodes: list[_Episode] = []
        self._free: list[int] = []

    @override
    def reset(self, batch: int, generator: Generator) -> SimulatorState:
        seeds = torch.randint(SEED_LIMIT, (batch,), generator=generator).tolist()
        episodes = [self._begin(seed) for seed in seeds]
        over = torch.zeros(batch, dtype=torch.bool)
        return SimulatorState(
            torch.tensor([slot for slot, _ in episodes]),
            torch.zeros(batch, dtype=torch.int64),
            over,
            over,
            torch.from_numpy(np.stack([observation for _, observation in episodes])),
        )

    @override
    def step(
        self, state: SimulatorState, action: Tensor, generator: Generator
    ) -> tuple[SimulatorState, Transition]:
        """Return the next states and the transitions.

        Raises:
            ValueError: a simulator has been stepped since `state`.
        """
        observation = state.observation.numpy().copy()
        reward = np.zeros(len(observation), np.float32)
        terminated, truncated = state.terminated.clone(), state.truncated.clone()
        terminated_rows, truncated_rows = terminated.numpy(), truncated.numpy()  # share memory
        slots, steps = state.slot.numpy().copy(), state.steps.tolist()
        actions = action.tolist()
        for row in (~state.over).nonzero().flatten().tolist():
            episode = self._episodes[slots[row]]
            if len(episode.actions) != steps[row]:
                raise ValueError(
                    f"row {row}: environment '{self.spec.name}' has been stepped since this state; "
                    "only its latest state can be stepped"
                )
            episode.actions.append(actions[row])
            result = episode.simulator.step(actions[row])
            observation[row], reward[row], terminated_rows[row], truncated_rows[row] = result
            if terminated_rows[row] or truncated_rows[row]:
                self._free.append(int(slots[row]))
                slots[row] = -1
        stepped = (~state.over).long()
        successor = SimulatorState(
            torch.from_numpy(slots),
            state.steps + stepped,
            terminated,
            truncated & ~terminated,
            torch.from_numpy(observation),
        )
        discount = self._discount * (~terminated).float()
        transition = Transition(torch.from_numpy(reward), discount, terminated, successor.truncated)
        return successor, transition

    @override
    def observe(self, state: SimulatorState) -> Tensor:
        return state.observation

    @override
    def legal(self, state: SimulatorState) -> Tensor:
        return torch.ones(len(state.slot), self.spec.actions, dtype=torch.bool)

    @override
    def chance(self, state: SimulatorState) -> None:
        return None

    @override
    def save(self, state: SimulatorState) -> SavedState:
        episodes = [self._episodes[slot] if slot >= 0 else None for slot in state.slot.tolist()]
        longest = max((len(episode.actions) for episode in episodes if episode), default=0)
        action = torch.zeros(len(episodes), longest, dtype=torch.int64)
        for row, episode in enumerate(episodes):
            if episode:
                taken = torch.tensor(episode.actions, dtype=torch.int64)
                action[row, : len(taken)] = taken
        seed = torch.tensor([episode.seed if episode else 0 for episode in episodes])
        return SavedState(seed, action, state)

    @override
    def restore(self, saved: SavedState) -> SimulatorState:
        """Return the saved state, after replaying every episode in progress in a simulator.

        Raises:
            WorkbenchError: a simulator does not reproduce the saved observation.
        """
        state, slots = saved.state, saved.state.slot.clone()
        for row in (~state.over).nonzero().flatten().tolist():
            slot, observation = self._begin(int(saved.seed[row]))
            episode = self._episodes[slot]
            for action in saved.action[row, : int(state.steps[row])].tolist():
                episode.actions.append(action)
                observation, *_ = episode.simulator.step(action)
            if not np.array_equal(observation, state.observation[row].numpy()):
                raise WorkbenchError(
                    f"environment '{self.spec.name}' does not reproduce an episode from its seed "
                    "and actions; an interrupted trial in it cannot be resumed exactly"
                )
            slots[row] = slot
        return SimulatorState(
            slots, state.steps, state.terminated, state.truncated, state.observation
        )

    def _begin(self, seed: int) -> tuple[int, NDArray[Any]]:
        """Start an episode in a free simulator; return its slot and the first observation."""
        if not self._free:
            self._free.append(len(self._episodes))
            self._episodes.append(_Episode(self._make(), 0, []))
        slot = self._free.pop()
        episode = self._episodes[slot]
        episode.seed, episode.actions = seed, []
        return slot, episode.simulator.reset(seed)
