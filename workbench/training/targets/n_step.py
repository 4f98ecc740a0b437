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
        import torch

        from workbench.training import masks
        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            length = window.unroll + 1
            value = window.value[:, self.steps : self.steps + length]
            for j in reversed(range(self.steps)):
                here = slice(j, j + length)
                going = window.index(length) + j < window.remaining[:, None]
                onward = window.reward[:, here] + window.discount[:, here] * value
                # The final state's row holds what lies beyond it: 0, or the bootstrap of a cut.
                value = torch.where(going, onward, window.value[:, here])
            return Target(value, masks.of_states(window, context.absorbing))

        return make
