"""Consistency loss: unrolled latents against encodings of the true observations."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from workbench.components import LossConfig, Width
from workbench.registry import register

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig
    from workbench.contracts import Loss
    from workbench.models.world_model import WorldModel


@register("loss", "consistency")
class Consistency(LossConfig):
    """Distance of unrolled latents to the encodings of the true observations (EfficientZero, 2021).

    With SimSiam's heads, it is the distance of predictor(projector(z^k)) to sg
    projector(h(o_{t+k})). `heads: none` with `distance: mse` gives the term of de Vries et al. 2021
    (arXiv 2102.12924).
    """

    targets: ClassVar[frozenset[str]] = frozenset({"latent"})
    entrywise: ClassVar[bool] = False

    heads: Literal["simsiam", "none"] = Field(
        "simsiam",
        description="a projector of both latents and a predictor of the unrolled one, or neither",
    )
    distance: Literal["cosine", "mse"] = Field(
        "cosine", description="1 - cosine, or the mean squared difference of the entries"
    )
    projection: Width = Field(
        128, description="units of each projector layer (EfficientZero on Atari: 1024)"
    )
    bottleneck: Width = Field(
        64, description="hidden units of the predictor (EfficientZero on Atari: 512)"
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().incompatibilities(trial)
        if self.heads == "simsiam" and getattr(trial.procedure, "batch_size", None) == 1:
            yield (
                "loss 'consistency' with heads 'simsiam' scales by the statistics of a batch; "
                f"procedure '{trial.procedure.component}' has batches of 1"
            )

    @override
    def build(self, model: WorldModel) -> Loss:
        from math import prod

        from torch import nn

        from workbench.losses.latents.consistency_loss import (
            DISTANCES,
            ConsistencyLoss,
            predictor,
            projector,
        )

        distance = DISTANCES[self.distance]
        if self.heads == "none":
            return ConsistencyLoss(model.latent_tensor, nn.Identity(), nn.Identity(), distance)
        project = projector(prod(model.spec.latent.shape), self.projection)
        predict = predictor(self.projection, self.bottleneck)
        return ConsistencyLoss(model.latent_tensor, project, predict, distance)
