"""Convolutions over the board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from workbench.components import Misfit, Positive, RepresentationConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("representation", "cnn")
class CNN(RepresentationConfig):
    """3x3 convolutions over the planes; ends in a grid, or by a linear layer in a vector."""

    width: Positive = Field(16, description="channels of a layer")
    depth: Positive = Field(2, description="convolutions")
    ends_in: Literal["vector", "grid"] = Field("vector", description="kind of the latent")
    latent_size: Positive = Field(96, description="length of the latent, if it is a vector")

    def latent(self, environment: EnvironmentSpec) -> LatentSpec:
        if len(environment.observation) != 3:
            raise Misfit(
                f"representation 'cnn' needs planes [C, H, W]; environment '{environment.name}' "
                f"gives observations of shape {list(environment.observation)}"
            )
        if self.ends_in == "vector":
            return LatentSpec("vector", (self.latent_size,))
        return LatentSpec("grid", (self.width, *environment.observation[1:]))

    def build(self, environment: EnvironmentSpec) -> nn.Module:
        from torch import nn

        channels, height, width = environment.observation
        layers: list[nn.Module] = []
        for i in range(self.depth):
            layers += [nn.Conv2d(channels if i == 0 else self.width, self.width, 3, padding=1)]
            layers += [nn.ReLU()]
        if self.ends_in == "grid":
            return nn.Sequential(*layers[:-1])
        readout = nn.Linear(self.width * height * width, self.latent_size)
        return nn.Sequential(*layers, nn.Flatten(), readout)
