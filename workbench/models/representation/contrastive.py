"""Representation `contrastive`: an encoder with its contrastive loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from typing_extensions import override

from workbench.components import ComponentField, NonNegative, RepresentationConfig
from workbench.models.representation.cnn import CNN
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from workbench.config import TrialConfig


@register("representation", "contrastive")
class Contrastive(RepresentationConfig):
    """Any encoder, combined with a contrastive loss term.

    It implies `losses.contrastive` and `targets.latent: next_latent`; a configuration file can
    override them. Network and initial weights are the same as for the encoder alone.
    """

    encoder: Annotated[RepresentationConfig, ComponentField("representation")] = Field(
        default_factory=CNN, description="the encoder"
    )
    weight: NonNegative = Field(1.0, description="weight of the contrastive loss")
    term: Literal["infonce", "hinge"] = Field("infonce", description="contrastive term")

    @property
    @override
    def trainable(self) -> bool:  # type: ignore[override]
        return self.encoder.trainable

    @property
    @override
    def row_independent(self) -> bool:  # type: ignore[override]
        return self.encoder.row_independent

    @override
    def implied_config(self) -> Mapping[str, Any]:
        return {
            "targets": {"latent": {"name": "next_latent"}},
            "losses": {
                "contrastive": {"name": "contrastive", "weight": self.weight, "term": self.term}
            },
        }

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        if "contrastive" not in trial.losses:
            yield (
                "representation 'contrastive' needs its loss 'contrastive', which the file takes "
                f"away; name the encoder '{self.encoder.component}' alone"
            )

    @override
    def latent(self, environment: EnvironmentSpec) -> LatentSpec:
        return self.encoder.latent(environment)

    @override
    def build(self, environment: EnvironmentSpec) -> nn.Module:
        return self.encoder.build(environment)
