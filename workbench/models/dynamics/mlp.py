"""Dynamics `mlp`: a residual MLP on a vector latent."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench.components import DynamicsConfig, Width
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentKind, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "mlp")
class MLP(DynamicsConfig):
    """Residual MLP on a vector latent; the action is a learned bias of its layer."""

    accepts: ClassVar[frozenset[LatentKind]] = frozenset({"vector"})

    width: Width = Field(96, description="hidden units")

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.transitions import VectorTransition

        return VectorTransition(latent.shape[0], environment.actions, self.width)
