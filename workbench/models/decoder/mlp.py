"""MLP decoder from the flattened latent to the observation."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from pydantic import Field
from typing_extensions import override

from workbench.components import DecoderConfig, Width
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("decoder", "mlp")
class MLP(DecoderConfig):
    """One hidden layer from the flattened latent, of any kind, to the observation."""

    width: Width = Field(96, description="hidden units")

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from torch import nn

        from workbench.models.transitions import MLPHead

        shape = environment.observation
        return nn.Sequential(MLPHead(latent.shape, self.width, prod(shape)), nn.Unflatten(1, shape))
