"""Policy loss."""

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


@register("loss", "policy")
class Policy(LossConfig):
    """Cross-entropy between target policy and predicted policy (MuZero, eq. 1)."""

    requires: ClassVar[frozenset[str]] = frozenset({"policy"})
    targets: ClassVar[frozenset[str]] = frozenset({"policy"})

    @override
    def build(self, model: WorldModel) -> Loss:
        import torch.nn.functional as F

        def loss(unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
            target = targets["policy"]
            entropy = -(target.value * F.log_softmax(unroll.heads.policy, -1)).sum(-1)
            # The joint policy of several agents is a product, so their cross-entropies add up.
            return entropy.reshape(*target.mask.shape, -1).sum(-1) * target.mask

        return loss
