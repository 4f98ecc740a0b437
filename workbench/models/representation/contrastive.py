"""An encoder together with the contrastive term that trains it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from workbench.components import NonNegative, RepresentationConfig, Slot
from workbench.models.representation.cnn import CNN
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from workbench.config import TrialConfig


@register("representation", "contrastive")
class Contrastive(RepresentationConfig):
    """Any encoder, paired with a contrastive term of the objective that it brings along.

    It brings `losses.contrastive` and `targets.latent: next_latent` into the trial; what the file
    says there wins. The network and its first weights are those of the encoder alone.
    """

    encoder: Annotated[RepresentationConfig, Slot("representation")] = Field(
        default_factory=CNN, description="what encodes"
    )
    weight: NonNegative = Field(1.0, description="factor of the contrastive term in the objective")
    term: Literal["infonce", "hinge"] = Field("infonce", description="which contrastive term")

    @property
    def trainable(self) -> bool:  # type: ignore[override]
        return self.encoder.trainable

    @property
    def row_independent(self) -> bool:  # type: ignore[override]
        return self.encoder.row_independent

    def brings(self) -> Mapping[str, Any]:
        return {
            "targets": {"latent": {"name": "next_latent"}},
            "losses": {
                "contrastive": {"name": "contrastive", "weight": self.weight, "term": self.term}
            },
        }

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        if "contrastive" not in trial.losses:
            yield (
                "representation 'contrastive' needs its loss 'contrastive', which the file takes "
                f"away; name the encoder '{self.encoder.component}' alone"
            )

    def latent(self, environment: EnvironmentSpec) -> LatentSpec:
        return self.encoder.latent(environment)

    def build(self, environment: EnvironmentSpec) -> nn.Module:
        return self.encoder.build(environment)
