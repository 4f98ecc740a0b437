"""The steps of episodes that are still played."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from workbench.training.step_kernels import Words, append, take
from workbench.training.step_storage import Layout, Table

ROOM = 16
"""Steps of an episode that there is room for at first."""


def room_for(moves: int) -> int:
    """Steps that each of the episodes has room for once one of them has so many moves."""
    room = ROOM
    while moves + 1 >= room:  # the final state and another move need room
        room *= 2
    return room


class Unfinished:
    """What B episodes have brought so far, each at a time of its own.

    The steps of an episode stand one after the other: those of episode b begin at b * room.
    """

    def __init__(self, layout: Layout, batch: int) -> None:
        self.length = torch.zeros(batch, dtype=torch.int64)
        """[B] moves of every episode so far."""
        self._steps = Table.empty(layout, batch * ROOM)
        self._room = ROOM

    def append(self, step: Mapping[str, Any]) -> None:
        """A move in every episode, [B, ...] each."""
        steps, moves = self._steps.bytes, self.length.numpy()
        entries = self._steps.layout.entries(step, len(moves))
        longest = append(entries.addresses, entries.places, steps, self._room, moves)
        if room_for(longest) > self._room:
            self._widen()

    def take(self, ended: Words, final: Mapping[str, Any]) -> tuple[Table, Tensor]:
        """The steps of the episodes `ended` [E] one after the other, which then begin anew.

        Args:
            final: of their final states, [E, ...]; what is not named is 0.

        Returns:
            the steps [sum(T + 1)], and the numbers of moves T [E].
        """
        steps, moves = self._steps.words.numpy(), self.length.numpy()
        entries = self._steps.layout.entries(final, len(ended))
        taken, length = take(entries.addresses, entries.places, steps, self._room, moves, ended)
        return Table(self._steps.layout, torch.from_numpy(taken)), torch.from_numpy(length)

    def _widen(self) -> None:
        """Room for twice as many steps."""
        old = self._steps.words.view(len(self.length), self._room, -1)
        wider = torch.cat([old, torch.zeros_like(old)], 1)
        self._steps, self._room = Table(self._steps.layout, wider.flatten(0, 1)), 2 * self._room

    def state_dict(self) -> dict[str, Any]:
        return {"length": self.length, "steps": self._steps.words}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.length = state["length"]
        self._steps = Table(self._steps.layout, state["steps"])
        self._room = len(self._steps) // len(self.length)
