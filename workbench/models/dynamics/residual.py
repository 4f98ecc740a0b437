"""Dynamics `residual`: a tower of residual blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench.components import Count, Width
from workbench.models.dynamics.boards.board_dynamics import BoardDynamics
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentKind, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "residual")
class Residual(BoardDynamics):
    """Tower of residual blocks (MuZero, appendix F): 3x3 convolutions, or layers on a vector.

    MuZero's has 16 blocks of 256 channels. Layers are normalised per row, not over the batch. On a
    vector the action is a learned bias of the first layer.
    """

    accepts: ClassVar[frozenset[LatentKind]] = frozenset({"vector", "grid"})

    width: Width = Field(32, description="channels, or units, of a block")
    depth: Count = Field(2, description="number of residual blocks")

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.dynamics.networks.residual_transitions import GridTower, VectorTower

        actions = environment.actions
        if latent.kind == "vector":
            return VectorTower(latent.shape[0], actions, self.width, self.depth)
        marks = self._marks(latent, environment)
        return GridTower(latent.shape, actions, marks, self.width, self.depth)
