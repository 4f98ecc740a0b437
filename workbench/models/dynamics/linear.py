"""Dynamics `linear`: a linear map per action."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench.components import DynamicsConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentKind, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "linear")
class Linear(DynamicsConfig):
    """s + A_a s + b_a on a vector latent: a control for nonlinear dynamics."""

    accepts: ClassVar[frozenset[LatentKind]] = frozenset({"vector"})

    shared: bool = Field(
        False, description="whether all actions share one matrix A and differ in the offset b only"
    )

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.transitions import LinearTransition

        return LinearTransition(latent.shape[0], environment.actions, self.shared)
