"""The true dynamics with an error of known size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from workbench.components import NonNegative
from workbench.models.dynamics.true import TrueDynamics
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "perturbed")
class Perturbed(TrueDynamics):
    """The simulator, whose encoded observations are blurred: a model error of known size.

    At depth k the code is h(o_k) plus k independent normal steps, each of `size` times the
    standard deviation of the code's own entries; `latent_norm` comes after that. Rewards, ends and
    legal moves are the true ones. At size 0 it is the dynamics `true`.
    """

    size: NonNegative = Field(
        0.1, description="of one step of the error, in standard deviations of the latent's entries"
    )
    compounding: bool = Field(
        True, description="whether errors add up with depth; else each is drawn by itself"
    )

    @property
    def row_independent(self) -> bool:  # type: ignore[override]
        return not self.size

    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.dynamics.networks.noise import GaussianWalk

        return GaussianWalk(self.size, self.compounding)
