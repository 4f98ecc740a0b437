"""What encoders that keep the cells of a board have in common; light."""

from __future__ import annotations

from abc import abstractmethod
from math import prod
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from workbench.components import Positive, RepresentationConfig
from workbench.models.boards import board_graph
from workbench.types import EnvironmentSpec, Graph, LatentKind, LatentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


class BoardEncoder(RepresentationConfig):
    """Layers over cells; ends in the cells, or through ReLU and a linear layer in a vector."""

    ends_in: LatentKind = Field("vector", description="kind of the latent")
    latent_size: Positive = Field(96, description="length of the latent, if it is a vector")

    @abstractmethod
    def _cells(self, environment: EnvironmentSpec) -> LatentSpec:
        """What the layers end in. Raises Misfit where they cannot read the environment."""

    @abstractmethod
    def _layers(self, environment: EnvironmentSpec) -> list[nn.Module]:
        """[B, C, H, W] -> [B, *cells]"""

    def latent(self, environment: EnvironmentSpec) -> LatentSpec:
        cells = self._cells(environment)
        return LatentSpec("vector", (self.latent_size,)) if self.ends_in == "vector" else cells

    def build(self, environment: EnvironmentSpec) -> nn.Module:
        from torch import nn

        layers = self._layers(environment)
        if self.ends_in != "vector":
            return nn.Sequential(*layers)
        readout = nn.Linear(prod(self._cells(environment).shape), self.latent_size)
        return nn.Sequential(*layers, nn.ReLU(), nn.Flatten(), readout)


class GridEncoder(BoardEncoder):
    """Keeps rows and columns."""

    ends_in: Literal["vector", "grid"] = Field("vector", description="kind of the latent")


class NodesEncoder(BoardEncoder):
    """A node is a cell."""

    ends_in: Literal["vector", "nodes"] = Field("vector", description="kind of the latent")


class GraphEncoder(NodesEncoder):
    """Layers over a graph of the board's cells, with ReLU between them."""

    width: Positive = Field(16, description="features of a node in a layer")
    depth: Positive = Field(2, description="layers, each of which reaches one edge further")
    graph: str = Field("neighbours", description="which of the environment's graphs")
    edges: Literal["original", "shuffled", "empty"] = Field(
        "original",
        description="the graph itself, or a control: random edges that leave every node its "
        "degree (drawn anew for every seed), or none",
    )
    coordinates: bool = Field(
        False, description="whether a node also carries its row and column, scaled to [0, 1]"
    )

    @abstractmethod
    def _stack(self, graph: Graph, sizes: list[int]) -> nn.Module:
        """[B, N, sizes[0]] -> [B, N, sizes[-1]]"""

    def _graph(self, environment: EnvironmentSpec) -> Graph:
        return board_graph(f"representation '{self.component}'", environment, self.graph)

    def _cells(self, environment: EnvironmentSpec) -> LatentSpec:
        return LatentSpec("nodes", (self._graph(environment).nodes, self.width))

    def notes(self, environment: EnvironmentSpec) -> Iterator[str]:
        where = "with its row and column" if self.coordinates else "without coordinates"
        yield (
            f"representation {self.component}: a node is a cell, its features the cell's "
            f"{environment.observation[0]} planes {where}; graph '{self.graph}', {self.edges} edges"
        )

    def _layers(self, environment: EnvironmentSpec) -> list[nn.Module]:
        from workbench.models.graphs import BoardNodes, rewire

        graph = rewire(self._graph(environment), self.edges)
        nodes = BoardNodes(environment.observation, self.coordinates)
        return [nodes, self._stack(graph, [nodes.features, *[self.width] * self.depth])]


def check_heads(width: int, heads: int) -> None:
    """Raises ValueError where heads cannot share the features of a node."""
    if width % heads:
        raise ValueError(f"width {width} cannot be shared evenly by {heads} heads")
