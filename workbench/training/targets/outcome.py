"""The return to the end of the episode."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from workbench.components import TargetConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Context, TargetMaker
    from workbench.types import Target, Window


@register("target", "outcome")
class Outcome(TargetConfig):
    """The discounted return to the episode's end, as MuZero does for board games."""

    role: ClassVar[str] = "value"

    def build(self) -> TargetMaker:
        from workbench.training import masks
        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            value = window.outcome[:, : window.unroll + 1]
            return Target(value, masks.of_states(window, context.absorbing))

        return make
