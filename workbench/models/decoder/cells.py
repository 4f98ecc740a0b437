"""Linear decoder from a cell of the latent to the same cell of the observation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from workbench.components import DecoderConfig, Incompatible
from workbench.models.boards import board_planes, cell_features, keeps_cells
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("decoder", "cells")
class Cells(DecoderConfig):
    """Decodes the planes of each cell from the same cell of the latent (1x1 convolution).

    No parameter's shape depends on the board size.
    """

    @override
    def check(self, latent: LatentSpec, environment: EnvironmentSpec) -> None:
        cell_features("decoder 'cells'", latent)
        _, height, width = board_planes("decoder 'cells'", environment)
        if not keeps_cells(latent, environment):
            raise Incompatible(
                f"decoder 'cells' needs the {height}x{width} cells that environment "
                f"'{environment.name}' shows"
            )

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.heads import CellDecoder

        return CellDecoder(cell_features("decoder 'cells'", latent), environment.observation)
