"""The control that never learns to see: a random encoder, frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from workbench.models.representation.mlp import MLP
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from torch import nn


@register("representation", "random")
class Random(MLP):
    """A random multi-layer perceptron, frozen: the control for what an encoder learns."""

    trainable: ClassVar[bool] = False

    def build(self, environment: EnvironmentSpec) -> nn.Module:
        return super().build(environment).requires_grad_(False)
