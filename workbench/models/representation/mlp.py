"""Representation `mlp`: an MLP over the flattened observation."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from pydantic import Field
from typing_extensions import override

from workbench.components import Count, RepresentationConfig, Width
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("representation", "mlp")
class MLP(RepresentationConfig):
    """Fully connected layers over the flattened observation; the latent is a vector."""

    width: Width = Field(96, description="units of a hidden layer")
    depth: Count = Field(1, description="number of hidden layers")
    latent_size: Width = Field(96, description="length of the latent vector")

    @override
    def latent(self, environment: EnvironmentSpec) -> LatentSpec:
        return LatentSpec("vector", (self.latent_size,))

    @override
    def build(self, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.layers import FlatMLP

        sizes = [prod(environment.observation), *[self.width] * self.depth, self.latent_size]
        return FlatMLP(sizes)
