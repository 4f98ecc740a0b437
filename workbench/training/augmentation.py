"""Symmetry augmentation of training windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor

from workbench.types import Symmetry, Window


class Augmentation:
    """Transforms every window by a uniformly drawn symmetry of the board."""

    def __init__(self, symmetries: Sequence[Symmetry]) -> None:
        self._cells = torch.tensor([symmetry.cells for symmetry in symmetries])  # [S, H*W]
        self._actions = torch.tensor([symmetry.actions for symmetry in symmetries])  # [S, A]
        self._sources = self._actions.argsort(
            1
        )  # [S, A] inverse: the action that is mapped to this one

    def __call__(self, window: Window, generator: Generator) -> Window:
        """Transform every window by a random symmetry."""
        count = (len(window.steps_to_end),)
        return self.transform(window, torch.randint(len(self._cells), count, generator=generator))

    def transform(self, window: Window, chosen: Tensor) -> Window:
        """Transform row b by the symmetry with index `chosen[b]`."""
        turned = _gather(window.observation.flatten(-2), self._cells[chosen])
        sources = self._sources[chosen]
        return replace(
            window,
            observation=turned.reshape(window.observation.shape),
            action=self._actions[chosen].gather(1, window.action),
            legal=_gather(window.legal, sources),
            policy=_gather(window.policy, sources),
        )


def _gather(values: Tensor, index: Tensor) -> Tensor:
    """Gather entries `index` [B, N] along the last dimension of `values` [B, ..., N]."""
    spread = index.reshape(len(index), *[1] * (values.dim() - 2), -1)
    return values.gather(-1, spread.expand_as(values))
