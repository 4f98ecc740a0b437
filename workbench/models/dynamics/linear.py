"""A linear map for every action."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from workbench.components import DynamicsConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentKind, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "linear")
class Linear(DynamicsConfig):
    """s + A_a s + b_a on a vector latent: the control for what nonlinear dynamics are good for."""

    accepts: ClassVar[frozenset[LatentKind]] = frozenset({"vector"})

    shared: bool = Field(
        False, description="whether all actions have one matrix A and differ by the offset b alone"
    )

    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.transitions import LinearTransition

        return LinearTransition(latent.shape[0], environment.actions, self.shared)
