"""Contrastive loss: identify the true next observation among others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from workbench.components import LossConfig, NonNegative
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Loss
    from workbench.models.world_model import WorldModel

Above0 = Annotated[float, Field(gt=0)]


@register("loss", "contrastive")
class Contrastive(LossConfig):
    """Identifies the encoding of the true observation among those of other rows of the batch.

    `infonce` is the cross-entropy of finding, for the unrolled z^k, its true encoding among the
    encodings at step k of all rows (van den Oord et al. 2018, eq. 4). A position that occurs in m
    rows gives m equal candidates. That adds log m to the loss and nothing to its gradient.

    `hinge` is H + max(0, margin - H~). H is the distance of z^k to the true encoding, and H~ that
    of another row's first state to it (C-SWM, Kipf et al. 2020, eq. 5). The other row is the
    previous one, because rows are drawn independently. If both rows hold the same position, H~ and
    its gradient are 0.

    Encodings of true observations carry no gradient. The first state of a row carries one, so that
    the hinge pushes positions apart through it. A constant encoder has the loss log(rows) or the
    margin.
    """

    targets: ClassVar[frozenset[str]] = frozenset({"latent"})

    term: Literal["infonce", "hinge"] = Field("infonce", description="contrastive term")
    score: Literal["cosine", "bilinear"] = Field(
        "cosine", description="infonce: cosine similarity, or z W z' with a learned W (CPC)"
    )
    temperature: Above0 = Field(0.1, description="infonce: temperature that divides the scores")
    margin: NonNegative = Field(
        1.0, description="hinge: energy beyond which other states are not pushed away (C-SWM: 1)"
    )
    sigma: Above0 = Field(
        0.5, description="hinge: unit of distance (C-SWM: 0.5, for 2 to 4 features per node)"
    )
    projection: Annotated[int, Field(ge=0, le=65_536)] = Field(
        0, description="units of a learned projector before the comparison; 0 for none"
    )

    @override
    def build(self, model: WorldModel) -> Loss:
        from math import prod

        from torch import nn

        from workbench.losses.latents import contrastive_loss
        from workbench.models.layers import mlp

        size, objects = prod(model.spec.latent.shape), contrastive_loss.n_objects(model.spec.latent)
        project: nn.Module = nn.Identity()
        if self.projection:
            project, objects = mlp([size, self.projection, self.projection]), 1
            size = self.projection
        if self.term == "hinge":
            return contrastive_loss.Hinge(
                model.latent_tensor, project, self.margin, self.sigma, objects
            )
        score = (
            contrastive_loss.Cosine() if self.score == "cosine" else contrastive_loss.Bilinear(size)
        )
        return contrastive_loss.InfoNCE(model.latent_tensor, project, score, self.temperature)
