"""Reward loss."""

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


@register("loss", "reward")
class Reward(LossConfig):
    """Squared error or two-hot cross-entropy, by the reward head's encoding (MuZero, eq. 1)."""

    head: ClassVar[str] = "reward"
    requires: ClassVar[frozenset[str]] = frozenset({"reward"})
    targets: ClassVar[frozenset[str]] = frozenset({"reward"})

    @override
    def build(self, model: WorldModel) -> Loss:
        import torch.nn.functional as F

        codec = model.value_encodings[self.head]

        def loss(unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
            target = targets[self.head]
            if unroll.edges is None:
                return 0 * target.mask
            error = codec.loss(unroll.edges.raw[self.head], target.value[:, 1:])
            return F.pad(error, (1, 0)) * target.mask

        return loss
