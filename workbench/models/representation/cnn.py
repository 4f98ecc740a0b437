"""Representation `cnn`: convolutions over the board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from workbench.components import Count, Width
from workbench.models.boards import board_planes
from workbench.models.representation.boards.board_encoder import GridEncoder
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("representation", "cnn")
class CNN(GridEncoder):
    """3x3 convolutions over the planes; the latent is a grid, or a vector by a linear layer."""

    width: Width = Field(16, description="channels of a layer")
    depth: Count = Field(2, description="number of convolutions")

    def _cells(self, environment: EnvironmentSpec) -> LatentSpec:
        _, height, width = board_planes("representation 'cnn'", environment)
        return LatentSpec("grid", (self.width, height, width))

    def _layers(self, environment: EnvironmentSpec) -> list[nn.Module]:
        from torch import nn

        channels = environment.observation[0]
        layers: list[nn.Module] = [nn.Conv2d(channels, self.width, 3, padding=1)]
        for _ in range(self.depth - 1):
            layers += [nn.ReLU(inplace=True), nn.Conv2d(self.width, self.width, 3, padding=1)]
        return layers
