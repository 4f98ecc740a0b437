"""Many simulators side by side as one batched environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from workbench.errors import WorkbenchError
from workbench.types import EnvironmentSpec, Transition

SEEDS = 2**31
"""Seeds of episodes lie below: simulators take 31 bits."""


class Simulator(Protocol):
    """One world. The seed of a reset and the actions since then fix all that it shows."""

    def reset(self, seed: int) -> NDArray[Any]:
        """The first observation of a new episode."""
        ...

    def step(self, action: int) -> tuple[NDArray[Any], float, bool, bool]:
        """Observation, reward, terminated, truncated."""
        ...


@dataclass(frozen=True)
class Live:
    """Where the worlds of a batch stand, and what they show."""

    slot: Tensor  # [B] int64, the simulator; -1 once its episode has ended
    moves: Tensor  # [B] int64, since the episode began
    terminated: Tensor  # [B] bool
    truncated: Tensor  # [B] bool
    observation: Tensor  # [B, *observation]

    @property
    def over(self) -> Tensor:
        return self.terminated | self.truncated


@dataclass(frozen=True)
class Saved:
    """What brings worlds back: their seeds and the actions since."""

    seed: Tensor  # [B] int64
    action: Tensor  # [B, longest] int64
    state: Live


@dataclass
class _Slot:
    """A simulator and how it got to where it is."""

    simulator: Simulator
    seed: int
    actions: list[int]


class LiveWorlds:
    """A `LiveEnvironment` over simulators, each made when first needed and used again."""

    def __init__(
        self, spec: EnvironmentSpec, make: Callable[[], Simulator], discount: float
    ) -> None:
        self.spec = spec
        self._make, self._discount = make, discount
        self._slots: list[_Slot] = []
        self._free: list[int] = []

    def reset(self, batch: int, generator: Generator) -> Live:
        seeds = torch.randint(SEEDS, (batch,), generator=generator).tolist()
        begun = [self._begin(seed) for seed in seeds]
        over = torch.zeros(batch, dtype=torch.bool)
        return Live(
            torch.tensor([slot for slot, _ in begun]),
            torch.zeros(batch, dtype=torch.int64),
            over,
            over,
            torch.from_numpy(np.stack([shown for _, shown in begun])),
        )

    def step(self, state: Live, action: Tensor, generator: Generator) -> tuple[Live, Transition]:
        """Raises ValueError for a world that has gone on since `state`."""
        shown = state.observation.numpy().copy()
        reward = np.zeros(len(shown), np.float32)
        terminated, truncated = state.terminated.clone(), state.truncated.clone()
        ends, cuts = terminated.numpy(), truncated.numpy()
        slots, moves = state.slot.numpy().copy(), state.moves.tolist()
        actions = action.tolist()
        for row in (~state.over).nonzero().flatten().tolist():
            held = self._slots[slots[row]]
            if len(held.actions) != moves[row]:
                raise ValueError(f"row {row}: {self.spec.name} has gone on from this state")
            held.actions.append(actions[row])
            shown[row], reward[row], ends[row], cuts[row] = held.simulator.step(actions[row])
            if ends[row] or cuts[row]:
                self._free.append(int(slots[row]))
                slots[row] = -1
        going = (~state.over).long()
        then = Live(
            torch.from_numpy(slots),
            state.moves + going,
            terminated,
            truncated & ~terminated,
            torch.from_numpy(shown),
        )
        discount = self._discount * (~terminated).float()
        return then, Transition(torch.from_numpy(reward), discount, terminated, then.truncated)

    def observe(self, state: Live) -> Tensor:
        return state.observation

    def legal(self, state: Live) -> Tensor:
        return torch.ones(len(state.slot), self.spec.actions, dtype=torch.bool)

    def chance(self, state: Live) -> None:
        return None

    def save(self, state: Live) -> Saved:
        held = [self._slots[slot] if slot >= 0 else None for slot in state.slot.tolist()]
        longest = max((len(one.actions) for one in held if one), default=0)
        action = torch.zeros(len(held), longest, dtype=torch.int64)
        for row, one in enumerate(held):
            if one:
                action[row, : len(one.actions)] = torch.tensor(one.actions, dtype=torch.int64)
        seed = torch.tensor([one.seed if one else 0 for one in held])
        return Saved(seed, action, state)

    def restore(self, saved: Saved) -> Live:
        """Plays every unfinished episode again.

        Raises:
            WorkbenchError: the simulator does not show again what it showed.
        """
        state, slots = saved.state, saved.state.slot.clone()
        for row in (~state.over).nonzero().flatten().tolist():
            slot, shown = self._begin(int(saved.seed[row]))
            held = self._slots[slot]
            for action in saved.action[row, : int(state.moves[row])].tolist():
                held.actions.append(action)
                shown, *_ = held.simulator.step(action)
            if not np.array_equal(shown, state.observation[row].numpy()):
                raise WorkbenchError(
                    f"environment '{self.spec.name}' does not repeat itself from a seed and "
                    "actions: an interrupted trial cannot be continued exactly"
                )
            slots[row] = slot
        return Live(slots, state.moves, state.terminated, state.truncated, state.observation)

    def _begin(self, seed: int) -> tuple[int, NDArray[Any]]:
        """A new episode in a free simulator: its slot, and what it shows."""
        if not self._free:
            self._free.append(len(self._slots))
            self._slots.append(_Slot(self._make(), 0, []))
        slot = self._free.pop()
        held = self._slots[slot]
        held.seed, held.actions = seed, []
        return slot, held.simulator.reset(seed)
