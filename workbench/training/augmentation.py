"""Boards turned and mirrored while they are learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor

from workbench.types import Symmetry, Window


class Augmentation:
    """Turns every window by one of the symmetries, each as likely as the others."""

    def __init__(self, symmetries: Sequence[Symmetry]) -> None:
        self._cells = torch.tensor([symmetry.cells for symmetry in symmetries])  # [S, H*W]
        self._actions = torch.tensor([symmetry.actions for symmetry in symmetries])  # [S, A]
        self._sources = self._actions.argsort(1)  # [S, A] which action becomes this one

    def __call__(self, window: Window, generator: Generator) -> Window:
        count = (len(window.remaining),)
        return self.turn(window, torch.randint(len(self._cells), count, generator=generator))

    def turn(self, window: Window, chosen: Tensor) -> Window:
        """Row by row by the symmetry of number `chosen` [B]."""
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
    """Entries `index` [B, N] of the last dimension of `values` [B, ..., N]."""
    spread = index.reshape(len(index), *[1] * (values.dim() - 2), -1)
    return values.gather(-1, spread.expand_as(values))
