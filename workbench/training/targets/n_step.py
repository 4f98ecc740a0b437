"""The n-step bootstrapped return."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench.components import Positive, TargetConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Context, TargetMaker
    from workbench.types import Target, Window


@register("target", "n_step")
class NStep(TargetConfig):
    """n discounted rewards plus the search's value, for the player to move (MuZero, section 3)."""

    role: ClassVar[str] = "value"

    steps: Positive = Field(10, description="n, number of rewards before the bootstrap value")

    @property
    @override
    def lookahead(self) -> int:
        return self.steps

    @override
    def build(self) -> TargetMaker:
        from workbench.training import masks
        from workbench.training.n_step_return import n_step_return
        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            value = n_step_return(window, self.steps)
            return Target(value, masks.state_mask(window, context.absorbing))

        return make
