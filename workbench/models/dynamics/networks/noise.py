"""Noise on the codes of what the world really shows."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn


class GaussianWalk(nn.Module):
    """Takes the code at depth k by k normal steps away from the truth, or by one alone.

    A step is `size` times the standard deviation of the code's own entries, so that it means the
    same whatever scale a representation chooses. Of size 0 it draws nothing.
    """

    def __init__(self, size: float, compounding: bool) -> None:
        super().__init__()
        self._size, self._compounding = size, compounding

    def begin(self, code: Tensor) -> Tensor | None:
        """Where the walk stands at a root: the sum of its steps, in units of one. [B, *latent]"""
        return torch.zeros_like(code) if self._size else None

    def forward(
        self, code: Tensor, walk: Tensor | None, generator: Generator
    ) -> tuple[Tensor, Tensor | None]:
        """One step on: the blurred code [B, *latent], and where the walk stands now."""
        if walk is None:
            return code, None
        step = torch.randn(code.shape, generator=generator).to(code)
        walk = walk + step if self._compounding else step
        # The gradient is the code's alone: of entries that are all alike it would not be finite.
        spread = code.detach().flatten(1).std(1, correction=0)
        unit = self._size * spread.view(-1, *[1] * (code.dim() - 1))
        return code + unit * walk, walk
