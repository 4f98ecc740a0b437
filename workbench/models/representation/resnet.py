"""Representation `resnet`: a residual tower over a board or an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from workbench.components import Count, Width
from workbench.models.boards import board_planes
from workbench.models.representation.boards.board_encoder import GridEncoder
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("representation", "resnet")
class ResNet(GridEncoder):
    """Residual blocks of two 3x3 convolutions, in any number; the latent is a grid or a vector.

    Each downsampling is a convolution of stride 2, with a block between two of them, so that most
    computation is done on small planes (as in MuZero, appendix F).
    """

    width: Width = Field(16, description="channels of a layer")
    depth: Count = Field(2, description="residual blocks at the final size")
    downsample: Annotated[int, Field(ge=0, le=10)] = Field(
        0,
        description="number of times that height and width are halved, rounded up: 4 reduces 96x96 "
        "to 6x6",
    )

    def _cells(self, environment: EnvironmentSpec) -> LatentSpec:
        _, height, width = board_planes("representation 'resnet'", environment)
        factor = 2**self.downsample
        return LatentSpec("grid", (self.width, -(-height // factor), -(-width // factor)))

    def _layers(self, environment: EnvironmentSpec) -> list[nn.Module]:
        from torch import nn

        from workbench.models.layers import ResidualBlock

        first, *later = [2] * self.downsample or [1]
        channels = environment.observation[0]
        layers: list[nn.Module] = [nn.Conv2d(channels, self.width, 3, first, padding=1)]
        for stride in later:
            layers += [ResidualBlock(self.width)]
            layers += [nn.Conv2d(self.width, self.width, 3, stride, padding=1)]
        return layers + [ResidualBlock(self.width) for _ in range(self.depth)]
