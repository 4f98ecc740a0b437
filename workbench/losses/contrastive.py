"""Telling what really followed from what followed elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from workbench.components import LossConfig, NonNegative
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Loss
    from workbench.models.world_model import WorldModel

Above0 = Annotated[float, Field(gt=0)]


@register("loss", "contrastive")
class Contrastive(LossConfig):
    """Tells the encoding of what really followed from those of other rows of the batch.

    `infonce`: cross-entropy of finding, for the imagined z^k, the right one among the encodings
    at step k of all rows (van den Oord et al. 2018, eq. 4). A position that stands in m rows
    makes m equal candidates. That adds log m to the error and nothing to its gradient, which is
    that of taking any of the m for right.

    `hinge`: H + max(0, margin - H~) with H the distance of z^k to what followed and H~ that of
    another row's first state to it (C-SWM, Kipf et al. 2020, eq. 5). The other row is the one
    before, for rows are drawn independently. Of a position that meets itself H~ is 0, and its
    gradient too.

    Encodings of what followed carry no gradient. The first state of a row carries it, so that
    the hinge pushes positions apart through it. A constant encoder has the error log(rows) or
    the margin.
    """

    targets: ClassVar[frozenset[str]] = frozenset({"latent"})

    term: Literal["infonce", "hinge"] = Field("infonce", description="which contrastive term")
    score: Literal["cosine", "bilinear"] = Field(
        "cosine", description="of infonce: the cosine, or z W z' with W learned (CPC)"
    )
    temperature: Above0 = Field(0.1, description="of infonce: what scores are divided by")
    margin: NonNegative = Field(
        1.0, description="of hinge: energy beyond which others are far enough (C-SWM: 1)"
    )
    sigma: Above0 = Field(
        0.5, description="of hinge: the unit of distance (C-SWM: 0.5, for 2 to 4 features a node)"
    )
    projection: Annotated[int, Field(ge=0)] = Field(
        0, description="units of a learned projector before the comparison; 0 for none"
    )

    def build(self, model: WorldModel) -> Loss:
        from math import prod

        from torch import nn

        from workbench.losses.latents import contrastive_loss
        from workbench.models.layers import mlp

        size, objects = prod(model.spec.latent.shape), contrastive_loss.objects(model.spec.latent)
        project: nn.Module = nn.Identity()
        if self.projection:
            project, objects = mlp([size, self.projection, self.projection]), 1
            size = self.projection
        if self.term == "hinge":
            return contrastive_loss.Hinge(model.code, project, self.margin, self.sigma, objects)
        score = (
            contrastive_loss.Cosine() if self.score == "cosine" else contrastive_loss.Bilinear(size)
        )
        return contrastive_loss.InfoNCE(model.code, project, score, self.temperature)
