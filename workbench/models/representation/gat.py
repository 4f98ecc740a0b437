"""Representation `gat`: graph attention over the board's cells."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from workbench.components import Count
from workbench.models.representation.boards.board_encoder import GraphEncoder, check_heads
from workbench.registry import register
from workbench.types import Graph

if TYPE_CHECKING:
    from torch import nn


@register("representation", "gat")
class GAT(GraphEncoder):
    """Graph attention (GATv2: Brody et al. 2022) over cells; the latent is nodes or a vector."""

    heads: Count = Field(4, description="attention heads per layer; they share its width")

    @model_validator(mode="after")
    def _shared(self) -> Self:
        check_heads(self.width, self.heads)
        return self

    def _stack(self, graph: Graph, sizes: list[int]) -> nn.Module:
        from workbench.models.graph_layers import GraphAttention
        from workbench.models.layers import LayerStack

        return LayerStack(GraphAttention(graph, a, b, self.heads) for a, b in pairwise(sizes))
