"""Dynamics `gat`: residual graph attention on a latent of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator
from typing_extensions import override

from workbench.components import Count, Width
from workbench.models.dynamics.boards.board_dynamics import GraphDynamics
from workbench.models.representation.boards.board_encoder import check_heads
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "gat")
class GAT(GraphDynamics):
    """Residual pair of graph attention layers (GATv2: Brody et al. 2022) on a latent of nodes."""

    width: Width = Field(16, description="features between the two layers")
    heads: Count = Field(
        4,
        description="attention heads of the first layer, which share its width; the second layer "
        "has one",
    )

    @model_validator(mode="after")
    def _shared(self) -> Self:
        check_heads(self.width, self.heads)
        return self

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.graph_layers import GraphAttention
        from workbench.models.layers import LayerStack
        from workbench.models.transitions import NodeTransition

        marks, features = self._node_marks(latent, environment), latent.shape[1]
        graph = self._graph(environment)
        first = GraphAttention(graph, features + marks.channels, self.width, self.heads)
        second = GraphAttention(graph, self.width, features, 1)
        return NodeTransition(marks, LayerStack([first, second]))
