"""Perceptron heads over the flattened latent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from workbench.components import Positive, PredictionConfig
from workbench.models.scalar_head import ScalarHead
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from workbench.contracts import Prediction


@register("prediction", "mlp")
class MLP(PredictionConfig):
    """One hidden layer for policy and value, one for an edge's reward and termination."""

    width: Positive = Field(96, description="hidden units")
    value: ScalarHead = Field(default_factory=ScalarHead, description="how the value is written")
    reward: ScalarHead = Field(default_factory=ScalarHead, description="how the reward is written")

    def build(self, latent: LatentSpec, environment: EnvironmentSpec, edges: bool) -> Prediction:
        from workbench.models.heads import FlatPrediction
        from workbench.models.value_encoding import codec

        return FlatPrediction(
            latent.shape,
            environment.actions,
            self.width,
            codec(self.value),
            codec(self.reward) if edges else None,
        )
