"""The null model: nothing ever changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, get_args

from workbench.components import DynamicsConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, LatentKind, LatentSpec

if TYPE_CHECKING:
    from torch import nn


@register("dynamics", "identity")
class Identity(DynamicsConfig):
    """The null model: whatever is done, the latent stays as it is; nothing to learn."""

    trainable: ClassVar[bool] = False
    accepts: ClassVar[frozenset[LatentKind]] = frozenset(get_args(LatentKind))

    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        from workbench.models.transitions import IdentityTransition

        return IdentityTransition()
