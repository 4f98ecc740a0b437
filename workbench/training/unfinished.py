"""The steps of episodes that are still played."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from workbench.training.table import Layout, Table

ROOM = 16
"""Steps of an episode that there is room for at first."""

Words = NDArray[np.int64]


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
        self._latest = Table.empty(layout, batch)
        self._steps = Table.empty(layout, batch * ROOM)
        self._room = ROOM

    def append(self, step: Mapping[str, Any]) -> None:
        """A move in every episode, [B, ...] each."""
        self._latest.write(step)
        steps, latest = self._steps.words.numpy(), self._latest.words.numpy()
        longest = _append(steps, self._room, self.length.numpy(), latest)
        if room_for(longest) > self._room:
            self._widen()

    def take(self, ended: Words, final: Mapping[str, Any]) -> tuple[Table, Tensor]:
        """The steps of the episodes `ended` [E] one after the other, which then begin anew.

        Args:
            final: of their final states, [E, ...]; what is not named is 0.

        Returns:
            the steps [sum(T + 1)], and the numbers of moves T [E].
        """
        steps, last = self._steps.words.numpy(), self._latest.words.numpy()
        last.fill(0)
        self._latest.write(final)
        taken, length = _take(steps, self._room, self.length.numpy(), ended, last)
        return Table(self._steps.layout, torch.from_numpy(taken)), torch.from_numpy(length)

    def _widen(self) -> None:
        """Room for twice as many steps."""
        old = self._steps.words.view(len(self._latest), self._room, -1)
        wider = torch.cat([old, torch.zeros_like(old)], 1)
        self._steps, self._room = Table(self._steps.layout, wider.flatten(0, 1)), 2 * self._room

    def state_dict(self) -> dict[str, Any]:
        return {"length": self.length, "steps": self._steps.words}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.length = state["length"]
        self._steps = Table(self._steps.layout, state["steps"])
        self._room = len(self._steps) // len(self._latest)


@njit(cache=True)
def _append(steps: Words, room: int, length: NDArray[np.int64], latest: Words) -> int:
    """Put a row behind those of every episode, which is then longer by one; returns the longest."""
    longest = 0
    for episode in range(len(length)):
        steps[episode * room + length[episode]] = latest[episode]
        length[episode] += 1
        longest = max(longest, length[episode])
    return longest


@njit(cache=True)
def _take(
    steps: Words, room: int, moves: NDArray[np.int64], ended: NDArray[np.int64], final: Words
) -> tuple[Words, NDArray[np.int64]]:
    """Copies of the rows of those that have ended, each with its final one behind them."""
    length = moves[ended]
    moves[ended] = 0
    taken, row = np.empty((length.sum() + len(ended), steps.shape[1]), np.int64), 0
    for i in range(len(ended)):
        begin = ended[i] * room
        taken[row : row + length[i]] = steps[begin : begin + length[i]]
        row += length[i]
        taken[row] = final[i]
        row += 1
    return taken, length
