"""A residual convolution over a grid latent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from workbench.components import DynamicsConfig, Misfit, Positive
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "conv")
class Conv(DynamicsConfig):
    """A residual pair of 3x3 convolutions on a grid latent; the action is a plane."""

    width: Positive = Field(16, description="channels between the two convolutions")

    def check(self, latent: LatentSpec, environment: EnvironmentSpec) -> None:
        if latent.kind != "grid":
            raise Misfit(f"dynamics 'conv' needs a grid latent, found {latent.kind}")

    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.transitions import GridTransition

        return GridTransition(latent.shape, environment.actions, self.width)
