"""Noise on the encodings of true observations."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn


class GaussianWalk(nn.Module):
    """Perturbs the encoding at depth k by the sum of k normal steps, or by one step only.

    A step is `size` times the standard deviation of the encoding's entries, so that its effect does
    not depend on the scale of the representation. With size 0 no random numbers are drawn.
    """

    def __init__(self, size: float, compounding: bool) -> None:
        super().__init__()
        self._size, self._compounding = size, compounding

    def begin(self, code: Tensor) -> Tensor | None:
        """[B, *latent] Return the accumulated noise at a root, in units of one step."""
        return torch.zeros_like(code) if self._size else None

    def forward(
        self, code: Tensor, walk: Tensor | None, generator: Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Add one step: return the perturbed encoding [B, *latent] and the accumulated noise."""
        if walk is None:
            return code, None
        step = torch.randn(code.shape, generator=generator).to(code)
        walk = walk + step if self._compounding else step
        # No gradient through the standard deviation: it is not finite if all entries are equal.
        spread = code.detach().flatten(1).std(1, correction=0)
        unit = self._size * spread.view(-1, *[1] * (code.dim() - 1))
        return code + unit * walk, walk
