"""Graph convolutions over the board's cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from workbench.components import Misfit, Positive, RepresentationConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, Graph, LatentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from workbench.config import TrialConfig


def board_graph(who: str, environment: EnvironmentSpec, name: str) -> Graph:
    """The environment's graph of that name. Raises Misfit where there is none."""
    if name in environment.graphs:
        return environment.graphs[name]
    has = ", ".join(sorted(environment.graphs)) or "no graph at all"
    raise Misfit(f"{who} needs the graph '{name}'; environment '{environment.name}' has {has}")


@register("representation", "gcn")
class GCN(RepresentationConfig):
    """Graph convolutions (Kipf & Welling) over the board's cells; ends in nodes or a vector."""

    width: Positive = Field(19, description="features of a node in a layer")
    depth: Positive = Field(2, description="graph convolutions")
    graph: str = Field("neighbours", description="which of the environment's graphs")
    edges: Literal["original", "shuffled", "empty"] = Field(
        "original",
        description="the graph itself, or a control: random edges that leave every node its "
        "degree (drawn anew for every seed), or none",
    )
    coordinates: bool = Field(
        False, description="whether a node also carries its row and column, scaled to [0, 1]"
    )
    backend: Literal["dense", "sparse"] = Field(
        "dense", description="adjacency matrix, or torch-geometric's edge list; equal numbers"
    )
    ends_in: Literal["vector", "nodes"] = Field("vector", description="kind of the latent")
    latent_size: Positive = Field(96, description="length of the latent, if it is a vector")

    def latent(self, environment: EnvironmentSpec) -> LatentSpec:
        graph = board_graph("representation 'gcn'", environment, self.graph)
        if self.ends_in == "vector":
            return LatentSpec("vector", (self.latent_size,))
        return LatentSpec("nodes", (graph.nodes, self.width))

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        self.latent(trial.environment.spec())
        return iter(())

    def notes(self, environment: EnvironmentSpec) -> Iterator[str]:
        where = "with its row and column" if self.coordinates else "without coordinates"
        yield (
            f"representation gcn: a node is a cell, its features the cell's "
            f"{environment.observation[0]} planes {where}; graph '{self.graph}', {self.edges} edges"
        )

    def build(self, environment: EnvironmentSpec) -> nn.Module:
        from torch import nn

        from workbench.models.graphs import BoardNodes, rewire
        from workbench.models.layers import GraphStack

        graph = rewire(board_graph("representation 'gcn'", environment, self.graph), self.edges)
        nodes = BoardNodes(environment.observation, self.coordinates)
        stack = GraphStack(graph, [nodes.features, *[self.width] * self.depth], self.backend)
        if self.ends_in == "nodes":
            return nn.Sequential(nodes, stack)
        readout = nn.Linear(self.width * graph.nodes, self.latent_size)
        return nn.Sequential(nodes, stack, nn.ReLU(), nn.Flatten(), readout)
