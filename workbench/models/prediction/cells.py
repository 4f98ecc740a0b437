"""Prediction `cells`: heads that fit boards of any size."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from pydantic import Field
from typing_extensions import override

from workbench.components import Incompatible, Width
from workbench.models.boards import cell_features, keeps_cells
from workbench.models.scalar_head import ScalarHeadsConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from workbench.contracts import Prediction


@register("prediction", "cells")
class Cells(ScalarHeadsConfig):
    """One MLP per cell scores the actions at that cell; the other heads read the pooled cells.

    No parameter's shape depends on the board size.
    """

    width: Width = Field(32, description="hidden units, per cell and over the pooled cells")

    @override
    def check(self, latent: LatentSpec, environment: EnvironmentSpec) -> None:
        cell_features("prediction 'cells'", latent)
        if any(environment.action_planes) and not keeps_cells(latent, environment):
            height, width = environment.observation[1:]
            raise Incompatible(
                f"prediction 'cells' needs the {height}x{width} cells on which environment "
                f"'{environment.name}' marks its actions"
            )

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec, edges: bool) -> Prediction:
        from workbench.models.heads import CellPrediction
        from workbench.models.value_encoding import value_encoding

        return CellPrediction(
            prod(environment.observation[1:]),
            cell_features("prediction 'cells'", latent),
            environment.action_planes or ((),) * environment.actions,
            self.width,
            value_encoding(self.value),
            value_encoding(self.reward) if edges else None,
        )
