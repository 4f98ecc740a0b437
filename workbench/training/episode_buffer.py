"""Steps of the episodes in progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from workbench.training.step_kernels import Words, append_steps, take_episodes
from workbench.training.step_storage import StepLayout, StepStorage

INITIAL_CAPACITY = 16
"""Initial capacity per episode, in steps."""


def rows_per_episode(length: int) -> int:
    """Return the capacity per episode, in steps, if the longest episode has `length` steps."""
    capacity = INITIAL_CAPACITY
    while length + 1 >= capacity:  # one row each for the final state and the next step
        capacity *= 2
    return capacity


class EpisodeBuffer:
    """Steps of B episodes in progress, which differ in length.

    The steps of one episode are contiguous: those of episode b start at row b * capacity.
    """

    def __init__(self, layout: StepLayout, batch: int) -> None:
        self.length = torch.zeros(batch, dtype=torch.int64)
        """[B] number of steps of each episode so far."""
        self._steps = StepStorage.empty(layout, batch * INITIAL_CAPACITY)
        self._capacity = INITIAL_CAPACITY

    def append(self, step: Mapping[str, Any]) -> None:
        """Append one step, with entries [B, ...], to every episode."""
        steps, lengths = self._steps.bytes, self.length.numpy()
        entries = self._steps.layout.entries(step, len(lengths))
        longest = append_steps(entries.addresses, entries.formats, steps, self._capacity, lengths)
        if rows_per_episode(longest) > self._capacity:
            self._double_capacity()

    def take(self, ended: Words, final: Mapping[str, Any]) -> tuple[StepStorage, Tensor]:
        """Remove the episodes `ended` [E] and return their steps, concatenated.

        Args:
            ended: indices of the episodes, which are empty afterwards.
            final: entries [E, ...] of their final states; missing entries are 0.

        Returns:
            Steps [sum(T + 1)], and the number of actions T [E] of each episode.
        """
        steps, lengths = self._steps.words.numpy(), self.length.numpy()
        entries = self._steps.layout.entries(final, len(ended))
        taken, length = take_episodes(
            entries.addresses, entries.formats, steps, self._capacity, lengths, ended
        )
        return StepStorage(self._steps.layout, torch.from_numpy(taken)), torch.from_numpy(length)

    def _double_capacity(self) -> None:
        """Double the capacity per episode."""
        old = self._steps.words.view(len(self.length), self._capacity, -1)
        enlarged = torch.cat([old, torch.zeros_like(old)], 1)
        self._steps, self._capacity = (
            StepStorage(self._steps.layout, enlarged.flatten(0, 1)),
            2 * self._capacity,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"length": self.length, "steps": self._steps.words}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.length = state["length"]
        self._steps = StepStorage(self._steps.layout, state["steps"])
        self._capacity = len(self._steps) // len(self.length)
