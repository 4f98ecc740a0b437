"""What dynamics that keep the cells of a board have in common; light."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from workbench.components import DynamicsConfig
from workbench.models.boards import board_graph, keeps_cells
from workbench.types import EnvironmentSpec, Graph, LatentKind, LatentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.models.transitions import Marks, NodeMarks


class BoardDynamics(DynamicsConfig):
    """On a grid or on nodes an action enters as features of every cell."""

    action: Literal["marks", "one_hot"] = Field(
        "marks",
        description="how the action enters a grid or nodes: its places on the board, where the "
        "latent has the board's cells and the environment says which, or one constant plane an "
        "action",
    )

    def _marks(self, latent: LatentSpec, environment: EnvironmentSpec) -> Marks:
        """By action, its (plane, cell) pairs; empty for one-hot planes."""
        placed = self.action == "marks" and keeps_cells(latent, environment)
        return environment.marks if placed else ()

    def notes(self, environment: EnvironmentSpec) -> Iterator[str]:
        if self.action == "marks" and not environment.marks:
            yield (
                f"dynamics {self.component}: the action enters one-hot, for environment "
                f"{environment.name} has no places for actions"
            )


class NodeDynamics(BoardDynamics):
    """On nodes."""

    accepts: ClassVar[frozenset[LatentKind]] = frozenset({"nodes"})

    def _node_marks(self, latent: LatentSpec, environment: EnvironmentSpec) -> NodeMarks:
        from workbench.models.transitions import NodeMarks

        marks = self._marks(latent, environment)
        return NodeMarks(environment.actions, latent.shape[0], marks)


class GraphDynamics(NodeDynamics):
    """Over one of the board's graphs."""

    graph: str = Field("neighbours", description="which of the environment's graphs")
    edges: Literal["original", "shuffled", "empty"] = Field(
        "original", description="the graph itself, or a control with shuffled or with no edges"
    )

    def check(self, environment: EnvironmentSpec) -> None:
        board_graph(f"dynamics '{self.component}'", environment, self.graph)

    def _graph(self, environment: EnvironmentSpec) -> Graph:
        from workbench.models.graphs import rewire

        return rewire(environment.graphs[self.graph], self.edges)
