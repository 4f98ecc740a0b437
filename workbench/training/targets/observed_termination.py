"""Target: terminations."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from workbench.components import TargetConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Context, TargetMaker
    from workbench.types import Target, Window


@register("target", "observed_termination")
class ObservedTermination(TargetConfig):
    """1 if state k >= 1 is terminal, else 0; a truncation is no termination."""

    role: ClassVar[str] = "termination"

    @override
    def build(self) -> TargetMaker:
        from workbench.training import masks
        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            ended = window.valid_or_absorbing - window.valid
            return Target(ended, masks.transition_mask(window, context.absorbing))

        return make
