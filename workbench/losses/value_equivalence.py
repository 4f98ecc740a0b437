"""Value-equivalence loss: values after unrolled steps against values after real steps."""

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


@register("loss", "value_equivalence")
class ValueEquivalence(LossConfig):
    """Squared error of v after k unrolled steps against v after k real steps (Grimm 2020).

    (v(g^k(h(o_t), a)) - sg v'(h'(o_{t+k})))^2, where ' denotes the acting agent. This is value
    equivalence of every order up to K (Grimm et al. 2021, arXiv 2106.10316) for the agent's own
    value function and the executed actions. The loss `reward` covers the rewards in between.
    """

    requires: ClassVar[frozenset[str]] = frozenset({"value"})
    targets: ClassVar[frozenset[str]] = frozenset({"next_value"})

    @override
    def build(self, model: WorldModel) -> Loss:
        def loss(unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
            target = targets["next_value"]
            return (unroll.heads.value - target.value) ** 2 * target.mask

        return loss
