"""Dynamics `ensemble`: the mean of several dynamics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import override

from workbench.components import ComponentField, Count, DynamicsConfig, Incompatible
from workbench.models.dynamics.mlp import MLP
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentKind, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "ensemble")
class Ensemble(DynamicsConfig):
    """Mean of the next latents of several dynamics with different initial weights.

    They are trained together, through their mean.
    """

    member: Annotated[DynamicsConfig, ComponentField("dynamics")] = Field(
        default_factory=MLP, description="dynamics of one member"
    )
    size: Count = Field(5, description="number of members")

    @property
    @override
    def accepts(self) -> frozenset[LatentKind]:  # type: ignore[override]
        return self.member.accepts

    @property
    @override
    def trainable(self) -> bool:  # type: ignore[override]
        return self.member.trainable

    @property
    @override
    def row_independent(self) -> bool:  # type: ignore[override]
        return self.member.row_independent

    @override
    def check(self, environment: EnvironmentSpec) -> None:
        if self.member.simulator:
            raise Incompatible(
                f"dynamics 'ensemble' joins networks; dynamics '{self.member.component}' steps the "
                "environment itself, which exists only once"
            )
        self.member.check(environment)

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.transitions import EnsembleTransition

        return EnsembleTransition(self.member.build(latent, environment) for _ in range(self.size))
