"""Dynamics `conv`: a residual convolution on a grid latent."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench.components import Width
from workbench.models.dynamics.boards.board_dynamics import BoardDynamics
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentKind, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "conv")
class Conv(BoardDynamics):
    """Residual pair of 3x3 convolutions on a grid latent; the action is a plane."""

    accepts: ClassVar[frozenset[LatentKind]] = frozenset({"grid"})

    width: Width = Field(16, description="channels between the two convolutions")

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.transitions import GridTransition

        marks = self._marks(latent, environment)
        return GridTransition(latent.shape, environment.actions, marks, self.width)
