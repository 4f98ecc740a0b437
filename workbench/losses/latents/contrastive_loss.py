"""InfoNCE and C-SWM's hinge between unrolled latents and encodings of true observations."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from workbench.losses.latents.consistency_loss import Code
from workbench.types import LatentSpec, Plan, Target, Unroll


def n_objects(latent: LatentSpec) -> int:
    """Number of objects in a latent: nodes, slots or cells of a grid; else 1."""
    if latent.kind in ("nodes", "slots"):
        return latent.shape[0]
    return latent.shape[1] * latent.shape[2] if latent.kind == "grid" else 1


class ContrastiveLoss(nn.Module):
    """Common part of both terms: flat, projected latents of steps 1..K."""

    def __init__(self, code: Code, project: nn.Module) -> None:
        super().__init__()
        self._code, self.project = code, project

    def forward(self, unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
        """[B, K+1] losses; 0 at the first state, which is not unrolled."""
        target = targets["latent"]
        if len(unroll.latents) == 1:
            return 0 * target.mask
        latents = self.project(torch.stack([*map(self._code, unroll.latents)], 1).flatten(2))
        real = self.project(target.value[:, 1:].flatten(2))
        error = self.contrast(latents[:, 0], latents[:, 1:], real)
        return F.pad(error, (1, 0)) * target.mask

    def contrast(self, first: Tensor, imagined: Tensor, real: Tensor) -> Tensor:
        """Compute [B, D], [B, K, D], [B, K, D] -> [B, K]."""
        raise NotImplementedError


class InfoNCE(ContrastiveLoss):
    """Cross-entropy of identifying the true encoding among those of all B rows, per step."""

    def __init__(
        self, code: Code, project: nn.Module, score: nn.Module, temperature: float
    ) -> None:
        super().__init__(code, project)
        self.score, self._temperature = score, temperature

    @override
    def contrast(self, first: Tensor, imagined: Tensor, real: Tensor) -> Tensor:
        rows, steps = imagined.shape[:2]
        scores = self.score(imagined.transpose(0, 1), real.transpose(0, 1)) / self._temperature
        right = torch.arange(rows, device=scores.device).expand(steps, -1)
        return F.cross_entropy(scores.transpose(1, 2), right, reduction="none").T


class Cosine(nn.Module):
    """Cosine similarity: [K, B, D], [K, C, D] -> [K, B, C]."""

    @override
    def forward(self, imagined: Tensor, real: Tensor) -> Tensor:
        return F.normalize(imagined, dim=-1) @ F.normalize(real, dim=-1).transpose(1, 2)


class Bilinear(nn.Module):
    """Bilinear score: [K, B, D], [K, C, D] -> [K, B, C]."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Linear(size, size, bias=False)

    @override
    def forward(self, imagined: Tensor, real: Tensor) -> Tensor:
        scores: Tensor = self.weight(imagined) @ real.transpose(1, 2)
        return scores


class Hinge(ContrastiveLoss):
    """Pulls z^k to its true encoding, and other rows' first states at least a margin away."""

    def __init__(
        self, code: Code, project: nn.Module, margin: float, sigma: float, objects: int
    ) -> None:
        super().__init__(code, project)
        self._margin, self._unit = margin, 2 * sigma**2 * objects

    @override
    def contrast(self, first: Tensor, imagined: Tensor, real: Tensor) -> Tensor:
        other = first.roll(1, 0)[:, None]
        return self._energy(imagined, real) + (self._margin - self._energy(other, real)).relu()

    def _energy(self, a: Tensor, b: Tensor) -> Tensor:
        """|a - b|^2 / 2 sigma^2, averaged over the objects."""
        return (a - b).square().sum(-1) / self._unit
