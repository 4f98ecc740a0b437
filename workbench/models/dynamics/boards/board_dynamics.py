"""Base configurations of dynamics that keep the cells of a board. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from workbench.components import DynamicsConfig
from workbench.models.boards import board_graph, check_rewirable, keeps_cells
from workbench.types import EnvironmentSpec, Graph, LatentKind, LatentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.models.transitions import Marks, NodeMarks


class BoardDynamics(DynamicsConfig):
    """On a grid or on nodes, the action enters as features of every cell."""

    action_encoding: Literal["cells", "one_hot"] = Field(
        "cells",
        description="how an action enters a grid or nodes: at its cells on the board, if latent "
        "and environment have them, or as one constant plane per action",
    )

    def _marks(self, latent: LatentSpec, environment: EnvironmentSpec) -> Marks:
        """Return, for each action, its (plane, cell) pairs; empty for one-hot planes."""
        placed = self.action_encoding == "cells" and keeps_cells(latent, environment)
        return environment.action_planes if placed else ()

    @override
    def notes(self, environment: EnvironmentSpec) -> Iterator[str]:
        if self.action_encoding == "cells" and not environment.action_planes:
            yield (
                f"dynamics {self.component}: the action enters one-hot, for environment "
                f"{environment.name} has no places for actions"
            )


class NodeDynamics(BoardDynamics):
    """Dynamics on nodes."""

    accepts: ClassVar[frozenset[LatentKind]] = frozenset({"nodes"})

    def _node_marks(self, latent: LatentSpec, environment: EnvironmentSpec) -> NodeMarks:
        from workbench.models.transitions import NodeMarks

        marks = self._marks(latent, environment)
        return NodeMarks(environment.actions, latent.shape[0], marks)


class GraphDynamics(NodeDynamics):
    """Dynamics over a graph of the board."""

    graph: str = Field("neighbours", description="name of the environment's graph")
    edges: Literal["original", "shuffled", "empty"] = Field(
        "original", description="the graph itself, or a control with rewired edges or without edges"
    )

    @override
    def check(self, environment: EnvironmentSpec) -> None:
        who = f"dynamics '{self.component}'"
        board_graph(who, environment, self.graph)
        if self.edges == "shuffled":
            check_rewirable(who, environment, self.graph)

    def _graph(self, environment: EnvironmentSpec) -> Graph:
        from workbench.models.graphs import rewire

        return rewire(environment.graphs[self.graph], self.edges)
