"""Dynamics `gru`: a gated recurrent unit whose hidden state is the latent."""

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


@register("dynamics", "gru")
class GRU(BoardDynamics):
    """Gated recurrent unit (Cho et al. 2014): the latent is its state, the action its input.

    On a vector the action enters by its embedding, a learned bias of the gates. On a grid the gates
    are 3x3 convolutions.
    """

    accepts: ClassVar[frozenset[LatentKind]] = frozenset({"vector", "grid"})

    embedding: Width = Field(16, description="length of an action's embedding, on a vector")

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.dynamics.networks.gated_transitions import GridGated, VectorGated

        if latent.kind == "vector":
            return VectorGated(latent.shape[0], environment.actions, self.embedding)
        return GridGated(latent.shape, environment.actions, self._marks(latent, environment))
