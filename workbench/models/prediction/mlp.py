"""Prediction `mlp`: MLP heads on the flattened latent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field
from typing_extensions import override

from workbench.components import Width
from workbench.models.scalar_head import ScalarHeadsConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from workbench.contracts import Prediction


@register("prediction", "mlp")
class MLP(ScalarHeadsConfig):
    """One hidden layer for policy and value, one for a transition's reward and termination."""

    width: Width = Field(96, description="hidden units")

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec, edges: bool) -> Prediction:
        from workbench.models.heads import FlatPrediction
        from workbench.models.value_encoding import value_encoding

        return FlatPrediction(
            latent.shape,
            environment.actions,
            self.width,
            value_encoding(self.value),
            value_encoding(self.reward) if edges else None,
        )
