"""Dynamics `message_passing`: an interaction network on nodes or slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field
from typing_extensions import override

from workbench.components import Width
from workbench.models.boards import board_graph, check_rewirable
from workbench.models.dynamics.boards.board_dynamics import NodeDynamics
from workbench.registry import register
from workbench.types import EnvironmentSpec, Graph, LatentKind, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "message_passing")
class MessagePassing(NodeDynamics):
    """Messages along edges, summed at every node (C-SWM, Kipf et al. 2020, section 2.3).

    Slots have no place on the board: their edges are `complete` or `empty`, and the action enters
    one-hot.
    """

    width: Width = Field(32, description="hidden units, and length of a message (C-SWM: 512)")
    graph: str = Field("neighbours", description="name of the environment's graph")
    edges: Literal["original", "shuffled", "empty", "complete"] = Field(
        "original",
        description="the graph itself, or a control with rewired edges or without edges; "
        "`complete` connects all pairs (C-SWM)",
    )

    @property
    @override
    def accepts(self) -> frozenset[LatentKind]:  # type: ignore[override]
        places = self.edges in ("original", "shuffled")
        return frozenset({"nodes"} if places else {"nodes", "slots"})

    @override
    def check(self, environment: EnvironmentSpec) -> None:
        who = f"dynamics '{self.component}'"
        if self.edges == "original":
            board_graph(who, environment, self.graph)
        elif self.edges == "shuffled":
            check_rewirable(who, environment, self.graph)

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.dynamics.networks.message_transition import MessageTransition

        nodes, features = latent.shape
        marks = self._node_marks(latent, environment)
        return MessageTransition(self._edges(nodes, environment), features, marks, self.width)

    def _edges(self, nodes: int, environment: EnvironmentSpec) -> Graph:
        from workbench.models.dynamics.networks.message_transition import complete
        from workbench.models.graphs import rewire

        if self.edges == "complete":
            return complete(nodes)
        if self.edges == "empty":
            return Graph(nodes, ())
        return rewire(environment.graphs[self.graph], self.edges)
