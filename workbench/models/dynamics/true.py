"""Dynamics `true`: the simulator, observed through the agent's own representation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, get_args

from typing_extensions import override

from workbench.components import DynamicsConfig, Incompatible
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentKind, LatentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from workbench.config import TrialConfig


@register("dynamics", "true")
class TrueDynamics(DynamicsConfig):
    """The simulator itself; the agent's representation encodes the true next observation."""

    trainable: ClassVar[bool] = False
    simulator: ClassVar[bool] = True
    accepts: ClassVar[frozenset[LatentKind]] = frozenset(get_args(LatentKind))

    @override
    def check(self, environment: EnvironmentSpec) -> None:
        if not environment.cloneable:
            raise Incompatible(
                f"dynamics '{self.component}' needs states that can be copied; environment "
                f"'{environment.name}' has none"
            )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        if getattr(trial.planner, "interior_legality", True) is False:
            yield (
                f"dynamics '{self.component}' can only make legal moves; set "
                f"`planner.interior_legality: true` for planner '{trial.planner.component}'"
            )

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.dynamics.networks.noise import GaussianWalk

        return GaussianWalk(0.0, compounding=False)
