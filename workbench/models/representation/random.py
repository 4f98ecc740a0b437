"""Representation `random`: a frozen random encoder, as a control."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from workbench.models.representation.mlp import MLP
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from torch import nn


@register("representation", "random")
class Random(MLP):
    """Frozen random MLP: a control for what an encoder learns."""

    trainable: ClassVar[bool] = False

    @override
    def build(self, environment: EnvironmentSpec) -> nn.Module:
        return super().build(environment).requires_grad_(False)
