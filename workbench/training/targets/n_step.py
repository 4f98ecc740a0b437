"""The n-step bootstrapped return."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from workbench.components import Positive, TargetConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Context, TargetMaker
    from workbench.types import Target, Window


@register("target", "n_step")
class NStep(TargetConfig):
    """n discounted rewards, then the search's value; signs by the mover (MuZero, section 3)."""

    role: ClassVar[str] = "value"

    steps: Positive = Field(10, description="n, the rewards before the bootstrap")

    @property
    def lookahead(self) -> int:
        return self.steps

    def build(self) -> TargetMaker:
        import torch.nn.functional as F

        from workbench.training import masks
        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            length, n = window.unroll + 1, self.steps
            # The final state's row holds what lies beyond it, 0 or the bootstrap of a cut, and is
            # repeated: there no reward follows, and no discount.
            past = window.index(window.discount.shape[1]) >= window.remaining[:, None]
            discount = window.discount.masked_fill(past, 1.0)
            product = discount.unfold(1, n, 1)[:, :length].cumprod(-1)  # [B, K+1, n]
            before = F.pad(product[..., :-1], (1, 0), value=1.0)
            gained = (before * window.reward.unfold(1, n, 1)[:, :length]).sum(-1)
            value = gained + product[..., -1] * window.value[:, n : n + length]
            return Target(value, masks.of_states(window, context.absorbing))

        return make
