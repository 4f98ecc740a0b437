"""Heads that are the same network on a board of any size."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from pydantic import Field

from workbench.components import Misfit, Positive, PredictionConfig
from workbench.models.boards import cell_features, keeps_cells
from workbench.models.scalar_head import ScalarHead
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from workbench.contracts import Prediction


@register("prediction", "cells")
class Cells(PredictionConfig):
    """One perceptron for every cell scores the actions marked there; the rest reads all pooled.

    No parameter's shape depends on the size of the board.
    """

    width: Positive = Field(32, description="hidden units, of a cell and of what reads the pool")
    value: ScalarHead = Field(default_factory=ScalarHead, description="how the value is written")
    reward: ScalarHead = Field(default_factory=ScalarHead, description="how the reward is written")

    def check(self, latent: LatentSpec, environment: EnvironmentSpec) -> None:
        cell_features("prediction 'cells'", latent)
        if any(environment.marks) and not keeps_cells(latent, environment):
            height, width = environment.observation[1:]
            raise Misfit(
                f"prediction 'cells' needs the {height}x{width} cells on which environment "
                f"'{environment.name}' marks its actions"
            )

    def build(self, latent: LatentSpec, environment: EnvironmentSpec, edges: bool) -> Prediction:
        from workbench.models.heads import CellPrediction
        from workbench.models.value_encoding import codec

        return CellPrediction(
            prod(environment.observation[1:]),
            cell_features("prediction 'cells'", latent),
            environment.marks or ((),) * environment.actions,
            self.width,
            codec(self.value),
            codec(self.reward) if edges else None,
        )
