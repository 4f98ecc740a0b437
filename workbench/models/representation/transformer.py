"""Representation `transformer`: self-attention over the board's cells."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from workbench.components import Count, Width
from workbench.models.boards import board_planes
from workbench.models.representation.boards.board_encoder import NodesEncoder, check_heads
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


@register("representation", "transformer")
class Transformer(NodesEncoder):
    """Pre-norm transformer whose tokens are the board's cells; the latent is nodes or a vector."""

    width: Width = Field(16, description="features of a token")
    depth: Count = Field(
        2, description="number of layers: attention and an MLP of 4 times the width"
    )
    heads: Count = Field(4, description="attention heads per layer; they share its width")
    position: Literal["learned", "coordinates", "none"] = Field(
        "learned",
        description="position of a token: a learned embedding (which ties the network to this "
        "board size), row and column scaled to [0, 1], or none",
    )

    @model_validator(mode="after")
    def _shared(self) -> Self:
        check_heads(self.width, self.heads)
        return self

    def _cells(self, environment: EnvironmentSpec) -> LatentSpec:
        _, *board = board_planes("representation 'transformer'", environment)
        return LatentSpec("nodes", (prod(board), self.width))

    @override
    def notes(self, environment: EnvironmentSpec) -> Iterator[str]:
        yield (
            f"representation transformer: a token is a cell, its features the cell's "
            f"{environment.observation[0]} planes; position: {self.position}"
        )

    def _layers(self, environment: EnvironmentSpec) -> list[nn.Module]:
        from torch import nn

        from workbench.models.graphs import BoardNodes, NodeEmbedding

        nodes = BoardNodes(environment.observation, self.position == "coordinates")
        tokens, width = self._cells(environment).shape
        layers: list[nn.Module] = [nodes, nn.Linear(nodes.features, width)]
        layers += [NodeEmbedding(tokens, width)] if self.position == "learned" else []
        return [*layers, *(self._layer() for _ in range(self.depth)), nn.LayerNorm(width)]

    def _layer(self) -> nn.Module:
        from torch import nn

        # Without biases, torch does not take its fused inference path, whose results differ in the
        # last bits.
        return nn.TransformerEncoderLayer(
            self.width,
            self.heads,
            4 * self.width,
            dropout=0.0,
            batch_first=True,
            norm_first=True,
            bias=False,
        )
