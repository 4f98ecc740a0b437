"""SimSiam's heads (Chen & He 2020, section 3) and the pull of one latent to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.types import Plan, Target, Unroll

Distance = Callable[[Tensor, Tensor], Tensor]

DISTANCES: Mapping[str, Distance] = {
    "cosine": lambda a, b: 1 - F.cosine_similarity(a, b, dim=-1),
    "mse": lambda a, b: (a - b).square().mean(-1),
}
"""[..., D], [..., D] -> [...]"""


def projector(size: int, width: int) -> nn.Sequential:
    """Three layers [N, size] -> [N, width].

    Each is scaled by layer norm where the papers have batch norm, so that a row's error, and its
    mask, is its own.
    """
    layers: list[nn.Module] = []
    for before in (size, width, width):
        layers += [nn.Linear(before, width), nn.LayerNorm(width), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def predictor(width: int, bottleneck: int) -> nn.Sequential:
    """Two layers [N, width] -> [N, width] with fewer units between."""
    return nn.Sequential(
        nn.Linear(width, bottleneck),
        nn.LayerNorm(bottleneck),
        nn.ReLU(),
        nn.Linear(bottleneck, width),
    )


class Pull(nn.Module):
    """The distance of predictor(projector(imagined)) to projector(real), which gets no gradient."""

    def __init__(self, project: nn.Module, predict: nn.Module, distance: Distance) -> None:
        super().__init__()
        self.project, self.predict, self._distance = project, predict, distance

    def forward(self, unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
        """[B, K+1], 0 at the first state, which is not imagined."""
        target = targets["latent"]
        if len(unroll.latents) == 1:
            return 0 * target.mask
        imagined = self.predict(self.project(torch.stack(unroll.latents[1:], 1).flatten(2)))
        with torch.no_grad():
            real = self.project(target.value[:, 1:].flatten(2))
        return F.pad(self._distance(imagined, real), (1, 0)) * target.mask
