"""A residual perceptron over a vector latent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from workbench.components import DynamicsConfig, Misfit, Positive
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "mlp")
class MLP(DynamicsConfig):
    """A residual perceptron on a vector latent; the action is a learned bias of its layer."""

    width: Positive = Field(96, description="hidden units")

    def check(self, latent: LatentSpec, environment: EnvironmentSpec) -> None:
        if latent.kind != "vector":
            raise Misfit(f"dynamics 'mlp' needs a vector latent, found {latent.kind}")

    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.transitions import VectorTransition

        return VectorTransition(latent.shape[0], environment.actions, self.width)
