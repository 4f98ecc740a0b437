"""Target: return to the end of the episode."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from workbench.components import TargetConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Context, TargetMaker
    from workbench.types import Target, Window


@register("target", "outcome")
class Outcome(TargetConfig):
    """Discounted return to the end of the episode (MuZero for board games)."""

    role: ClassVar[str] = "value"

    @override
    def build(self) -> TargetMaker:
        from workbench.training import masks
        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            value = window.return_to_go[:, : window.unroll + 1]
            return Target(value, masks.state_mask(window, context.absorbing))

        return make
