"""Representation `gcn`: graph convolutions over the board's cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from workbench.components import Width
from workbench.models.representation.boards.board_encoder import GraphEncoder
from workbench.registry import register
from workbench.types import Graph

if TYPE_CHECKING:
    from torch import nn


@register("representation", "gcn")
class GCN(GraphEncoder):
    """Graph convolutions (Kipf & Welling) over cells; the latent is nodes or a vector."""

    width: Width = Field(19, description="features per node in a layer")
    backend: Literal["dense", "sparse"] = Field(
        "dense",
        description="implementation: adjacency matrix or torch-geometric's edge list, with equal "
        "results",
    )

    def _stack(self, graph: Graph, sizes: list[int]) -> nn.Module:
        from workbench.models.layers import GraphStack

        return GraphStack(graph, sizes, self.backend)
