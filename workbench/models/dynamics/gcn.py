"""Dynamics `gcn`: residual graph convolution on a latent of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field
from typing_extensions import override

from workbench.components import Width
from workbench.models.dynamics.boards.board_dynamics import GraphDynamics
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "gcn")
class GCN(GraphDynamics):
    """Residual pair of graph convolutions on a latent of nodes; the action marks its node."""

    width: Width = Field(19, description="features between the two convolutions")
    backend: Literal["dense", "sparse"] = Field(
        "dense",
        description="implementation: adjacency matrix or torch-geometric's edge list, with equal "
        "results",
    )

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.layers import GraphStack
        from workbench.models.transitions import NodeTransition

        marks, features = self._node_marks(latent, environment), latent.shape[1]
        sizes = [features + marks.channels, self.width, features]
        return NodeTransition(marks, GraphStack(self._graph(environment), sizes, self.backend))
