"""Distance of the imagined latent to the encoding of what really followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from workbench.components import LossConfig, Positive
from workbench.registry import register

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig
    from workbench.contracts import Loss
    from workbench.models.world_model import WorldModel


@register("loss", "consistency")
class Consistency(LossConfig):
    """Pulls imagined latents to the encodings of what really followed (EfficientZero, 2021).

    With SimSiam's heads, the distance of predictor(projector(z^k)) to sg projector(h(o_{t+k}));
    `heads: none` and `distance: mse` give the term of de Vries et al. 2021 (arXiv 2102.12924).
    """

    targets: ClassVar[frozenset[str]] = frozenset({"latent"})
    entrywise: ClassVar[bool] = False

    heads: Literal["simsiam", "none"] = Field(
        "simsiam", description="a projector of both and a predictor of the imagined, or neither"
    )
    distance: Literal["cosine", "mse"] = Field(
        "cosine", description="1 - cosine, or the mean squared difference of the entries"
    )
    projection: Positive = Field(
        128, description="units of the projector, in each layer (EfficientZero on Atari: 1024)"
    )
    bottleneck: Positive = Field(
        64, description="hidden units of the predictor (EfficientZero on Atari: 512)"
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().misfits(trial)
        if self.heads == "simsiam" and getattr(trial.procedure, "batch", None) == 1:
            yield (
                "loss 'consistency' with heads 'simsiam' scales by the statistics of a batch; "
                f"procedure '{trial.procedure.component}' has batches of 1"
            )

    def build(self, model: WorldModel) -> Loss:
        from math import prod

        from torch import nn

        from workbench.losses.latents.consistency_loss import DISTANCES, Pull, predictor, projector

        distance = DISTANCES[self.distance]
        if self.heads == "none":
            return Pull(model.code, nn.Identity(), nn.Identity(), distance)
        project = projector(prod(model.spec.latent.shape), self.projection)
        predict = predictor(self.projection, self.bottleneck)
        return Pull(model.code, project, predict, distance)
