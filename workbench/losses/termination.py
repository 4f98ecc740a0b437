"""Termination loss."""

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


@register("loss", "termination")
class Termination(LossConfig):
    """Cross-entropy of the predicted termination; MuZero has no such head."""

    requires: ClassVar[frozenset[str]] = frozenset({"termination"})
    targets: ClassVar[frozenset[str]] = frozenset({"termination"})

    @override
    def build(self, model: WorldModel) -> Loss:
        import torch.nn.functional as F

        def loss(unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
            target = targets["termination"]
            if unroll.edges is None:
                return 0 * target.mask
            logits, ended = unroll.edges.raw["termination"], target.value[:, 1:]
            error = F.binary_cross_entropy_with_logits(logits, ended, reduction="none")
            return F.pad(error, (1, 0)) * target.mask

        return loss
