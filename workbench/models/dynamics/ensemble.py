"""Several dynamics in the place of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from workbench.components import DynamicsConfig, Misfit, Positive, Slot
from workbench.models.dynamics.mlp import MLP
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentKind, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "ensemble")
class Ensemble(DynamicsConfig):
    """The mean of the next latents of several dynamics that begin from different weights.

    They are trained together, through their mean.
    """

    of: Annotated[DynamicsConfig, Slot("dynamics")] = Field(
        default_factory=MLP, description="what a member is"
    )
    members: Positive = Field(5, description="how many there are")

    @property
    def accepts(self) -> frozenset[LatentKind]:  # type: ignore[override]
        return self.of.accepts

    @property
    def trainable(self) -> bool:  # type: ignore[override]
        return self.of.trainable

    @property
    def row_independent(self) -> bool:  # type: ignore[override]
        return self.of.row_independent

    def check(self, environment: EnvironmentSpec) -> None:
        if self.of.simulator:
            raise Misfit(
                f"dynamics 'ensemble' joins networks; dynamics '{self.of.component}' steps the "
                "world itself, of which there is one"
            )
        self.of.check(environment)

    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.transitions import EnsembleTransition

        return EnsembleTransition(self.of.build(latent, environment) for _ in range(self.members))
