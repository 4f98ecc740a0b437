"""SimSiam's heads (Chen & He 2020, section 3) and the consistency loss between latents."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.types import Latent, Plan, Target, Unroll

Code = Callable[[Latent], Tensor]
"""`latent_tensor` of the model: [B, *latent]"""

Distance = Callable[[Tensor, Tensor], Tensor]

DISTANCES: Mapping[str, Distance] = {
    "cosine": lambda a, b: 1 - F.cosine_similarity(a, b, dim=-1),
    "mse": lambda a, b: (a - b).square().mean(-1),
}
"""[N, D], [N, D] -> [N]"""


def projector(size: int, width: int) -> nn.Sequential:
    """Three layers [N, size] -> [N, width], each normalised over the N rows.

    Batch normalisation is necessary, as in the papers: with layer normalisation, tried on
    tic-tac-toe, all latents soon collapse to one direction.
    """
    layers: list[nn.Module] = []
    for before in (size, width, width):
        layers += [nn.Linear(before, width), _norm(width), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def predictor(width: int, bottleneck: int) -> nn.Sequential:
    """Two layers [N, width] -> [N, width] with a bottleneck between them."""
    return nn.Sequential(
        nn.Linear(width, bottleneck), _norm(bottleneck), nn.ReLU(), nn.Linear(bottleneck, width)
    )


def _norm(width: int) -> nn.Module:
    return nn.BatchNorm1d(width, track_running_stats=False)


class ConsistencyLoss(nn.Module):
    """Distance of predictor(projector(unrolled)) to projector(true), which gets no gradient.

    Only unmasked entries enter the heads and their batch statistics.
    """

    def __init__(
        self, code: Code, project: nn.Module, predict: nn.Module, distance: Distance
    ) -> None:
        super().__init__()
        self._code, self._distance = code, distance
        self.project, self.predict = project, predict

    def forward(self, unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
        """[B, K+1] losses; 0 at the first state, which is not unrolled."""
        target = targets["latent"]
        if len(unroll.latents) == 1:
            return 0 * target.mask
        kept = target.mask[:, 1:] > 0
        codes = torch.stack([*map(self._code, unroll.latents[1:])], 1)
        imagined = self.predict(self.project(codes[kept].flatten(1)))
        with torch.no_grad():
            real = self.project(target.value[:, 1:][kept].flatten(1))
        error = self._distance(imagined, real)
        spread = torch.zeros(kept.shape, dtype=error.dtype, device=error.device)
        return F.pad(spread.masked_scatter(kept, error), (1, 0)) * target.mask
