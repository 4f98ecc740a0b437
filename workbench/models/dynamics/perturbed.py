"""Dynamics `perturbed`: the true dynamics with an error of known size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field
from typing_extensions import override

from workbench.components import NonNegative
from workbench.models.dynamics.true import TrueDynamics
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "perturbed")
class Perturbed(TrueDynamics):
    """Simulator with noise on the encoded observations: a model error of known size.

    At depth k, k independent normal steps are added to h(o_k), each of `noise_scale` times the
    standard deviation of the encoding's entries; `latent_norm` follows. Rewards, terminations and
    legal actions are the true ones. With noise_scale 0 it equals the dynamics `true`.
    """

    noise_scale: NonNegative = Field(
        0.1,
        description="size of one step of the error, in standard deviations of the latent's entries",
    )
    compounding: bool = Field(
        True,
        description=(
            "whether errors accumulate with depth; else each depth has an independent error"
        ),
    )

    @property
    @override
    def row_independent(self) -> bool:  # type: ignore[override]
        return not self.noise_scale

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.dynamics.networks.noise import GaussianWalk

        return GaussianWalk(self.noise_scale, self.compounding)
