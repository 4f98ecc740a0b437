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
        from workbench.training import masks
        from workbench.training.n_step_return import n_step
        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            value = n_step(window, self.steps)
            return Target(value, masks.of_states(window, context.absorbing))

        return make
