"""Value loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from workbench.components import LossConfig
from workbench.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.contracts import Loss
    from workbench.models.world_model import WorldModel
    from workbench.types import Plan, Target, Unroll


@register("loss", "value")
class Value(LossConfig):
    """Squared error or two-hot cross-entropy, by the encoding of the value head (MuZero, eq. 1)."""

    requires: ClassVar[frozenset[str]] = frozenset({"value"})
    targets: ClassVar[frozenset[str]] = frozenset({"value"})

    @override
    def build(self, model: WorldModel) -> Loss:
        codec = model.value_encodings["value"]

        def loss(unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
            target = targets["value"]
            return codec.loss(unroll.heads.raw["value"], target.value) * target.mask

        return loss
