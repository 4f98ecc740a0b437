"""Dynamics `identity`: the null model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, get_args

from typing_extensions import override

from workbench.components import DynamicsConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentKind, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "identity")
class Identity(DynamicsConfig):
    """Null model: the latent never changes; there is nothing to learn."""

    trainable: ClassVar[bool] = False
    accepts: ClassVar[frozenset[LatentKind]] = frozenset(get_args(LatentKind))

    @override
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.transitions import IdentityTransition

        return IdentityTransition()
