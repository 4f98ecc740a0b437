"""Representation `gin`: graph isomorphism layers over the board's cells."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic import Field

from workbench.models.representation.boards.board_encoder import GraphEncoder
from workbench.registry import register
from workbench.types import Graph

if TYPE_CHECKING:
    from torch import nn


@register("representation", "gin")
class GIN(GraphEncoder):
    """MLPs of sums over neighbours (GIN: Xu et al. 2019); the latent is nodes or a vector."""

    learn_epsilon: bool = Field(
        True,
        description="whether the weight of a node relative to its neighbours is learned; else "
        "it is 1",
    )

    def _stack(self, graph: Graph, sizes: list[int]) -> nn.Module:
        from workbench.models.graph_layers import GraphIsomorphism
        from workbench.models.layers import LayerStack

        pairs = pairwise(sizes)
        return LayerStack(GraphIsomorphism(graph, a, b, self.learn_epsilon) for a, b in pairs)
