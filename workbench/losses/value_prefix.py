"""Value-prefix loss."""

from __future__ import annotations

from typing import ClassVar

from workbench.losses.reward import Reward
from workbench.registry import register


@register("loss", "value_prefix")
class ValuePrefix(Reward):
    """Error of the predicted sum of rewards, by the encoding of its head (EfficientZero, 2021)."""

    head: ClassVar[str] = "value_prefix"
    requires: ClassVar[frozenset[str]] = frozenset({"value_prefix"})
    targets: ClassVar[frozenset[str]] = frozenset({"value_prefix"})
