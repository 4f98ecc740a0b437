"""Graph isomorphism layers over the board's cells."""

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
    """Perceptrons of sums over neighbours (GIN: Xu et al. 2019); ends in nodes or a vector."""

    learn_epsilon: bool = Field(
        True, description="learn how much a node counts beside its neighbours, or count it once"
    )

    def _stack(self, graph: Graph, sizes: list[int]) -> nn.Module:
        from workbench.models.graph_layers import GraphIsomorphism
        from workbench.models.layers import LayerStack

        pairs = pairwise(sizes)
        return LayerStack(GraphIsomorphism(graph, a, b, self.learn_epsilon) for a, b in pairs)
