"""A residual graph convolution over a latent of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from workbench.components import DynamicsConfig, Positive
from workbench.models.boards import board_graph
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentKind, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "gcn")
class GCN(DynamicsConfig):
    """A residual pair of graph convolutions on a latent of nodes; the action marks its node."""

    accepts: ClassVar[frozenset[LatentKind]] = frozenset({"nodes"})

    width: Positive = Field(19, description="features between the two convolutions")
    graph: str = Field("neighbours", description="which of the environment's graphs")
    edges: Literal["original", "shuffled", "empty"] = Field(
        "original", description="the graph itself, or a control with shuffled or with no edges"
    )
    backend: Literal["dense", "sparse"] = Field(
        "dense", description="adjacency matrix, or torch-geometric's edge list; equal numbers"
    )

    def check(self, environment: EnvironmentSpec) -> None:
        board_graph("dynamics 'gcn'", environment, self.graph)

    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.graphs import rewire
        from workbench.models.transitions import NodeTransition

        graph = rewire(environment.graphs[self.graph], self.edges)
        marks = environment.marks
        return NodeTransition(
            graph, latent.shape, environment.actions, marks, self.width, self.backend
        )
