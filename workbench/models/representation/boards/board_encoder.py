"""Base configurations of encoders that keep the cells of a board. Imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from math import prod
from typing import TYPE_CHECKING, Literal

from pydantic import Field
from typing_extensions import override

from workbench.components import Count, RepresentationConfig, Width
from workbench.models.boards import board_graph, check_rewirable
from workbench.types import EnvironmentSpec, Graph, LatentKind, LatentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


class BoardEncoder(RepresentationConfig):
    """Layers over cells; the result is the cells, or a vector through ReLU and a linear layer."""

    latent_kind: LatentKind = Field("vector", description="kind of the latent")
    latent_size: Width = Field(96, description="length of the latent, if it is a vector")

    @abstractmethod
    def _cells(self, environment: EnvironmentSpec) -> LatentSpec:
        """Return the layers' output. Raises Incompatible if they cannot read the environment."""

    @abstractmethod
    def _layers(self, environment: EnvironmentSpec) -> list[nn.Module]:
        """Build the layers [B, C, H, W] -> [B, *cells]."""

    @override
    def latent(self, environment: EnvironmentSpec) -> LatentSpec:
        cells = self._cells(environment)
        return LatentSpec("vector", (self.latent_size,)) if self.latent_kind == "vector" else cells

    @override
    def build(self, environment: EnvironmentSpec) -> nn.Module:
        from torch import nn

        layers = self._layers(environment)
        if self.latent_kind != "vector":
            return nn.Sequential(*layers)
        readout = nn.Linear(prod(self._cells(environment).shape), self.latent_size)
        return nn.Sequential(*layers, nn.ReLU(), nn.Flatten(), readout)


class GridEncoder(BoardEncoder):
    """An encoder that keeps rows and columns."""

    latent_kind: Literal["vector", "grid"] = Field("vector", description="kind of the latent")


class NodesEncoder(BoardEncoder):
    """An encoder in which a node is a cell."""

    latent_kind: Literal["vector", "nodes"] = Field("vector", description="kind of the latent")


class GraphEncoder(NodesEncoder):
    """Layers over a graph of the board's cells, with ReLU between them."""

    width: Width = Field(16, description="features per node in a layer")
    depth: Count = Field(
        2, description="number of layers; each extends the receptive field by one edge"
    )
    graph: str = Field("neighbours", description="name of the environment's graph")
    edges: Literal["original", "shuffled", "empty"] = Field(
        "original",
        description="the graph itself, or a control: degree-preserving rewiring, drawn per seed, "
        "or no edges",
    )
    coordinates: bool = Field(
        False,
        description="whether a node also has its row and column as features, scaled to [0, 1]",
    )

    @abstractmethod
    def _stack(self, graph: Graph, sizes: list[int]) -> nn.Module:
        """Build the layers [B, N, sizes[0]] -> [B, N, sizes[-1]]."""

    def _graph(self, environment: EnvironmentSpec) -> Graph:
        return board_graph(f"representation '{self.component}'", environment, self.graph)

    def _cells(self, environment: EnvironmentSpec) -> LatentSpec:
        if self.edges == "shuffled":
            check_rewirable(f"representation '{self.component}'", environment, self.graph)
        return LatentSpec("nodes", (self._graph(environment).nodes, self.width))

    @override
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
    """Raise ValueError if the heads cannot share the features of a node."""
    if width % heads:
        raise ValueError(f"width {width} cannot be shared evenly by {heads} heads")
