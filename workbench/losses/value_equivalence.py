"""Error of the value after imagined steps against the value after the same real ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from workbench.components import LossConfig
from workbench.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.contracts import Loss
    from workbench.models.world_model import WorldModel
    from workbench.types import Plan, Target, Unroll


@register("loss", "value_equivalence")
class ValueEquivalence(LossConfig):
    """Squared error of v after k imagined steps to v after the same k real ones (Grimm 2020).

    (v(g^k(h(o_t), a)) - sg v'(h'(o_{t+k})))^2, with ' for the agent that acts: value equivalence
    of every order up to K (Grimm et al. 2021, arXiv 2106.10316) for the agent's own value function
    and the moves that were played. The rewards on the way are the loss `reward`'s.
    """

    requires: ClassVar[frozenset[str]] = frozenset({"value"})
    targets: ClassVar[frozenset[str]] = frozenset({"next_value"})

    def build(self, model: WorldModel) -> Loss:
        def loss(unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
            target = targets["next_value"]
            return (unroll.heads.value - target.value) ** 2 * target.mask

        return loss
