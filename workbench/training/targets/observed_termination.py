"""Whether the episode has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from workbench.components import TargetConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Context, TargetMaker
    from workbench.types import Target, Window


@register("target", "observed_termination")
class ObservedTermination(TargetConfig):
    """1 where state k is terminal, from k = 1; a cut by time is not an end."""

    role: ClassVar[str] = "termination"

    def build(self) -> TargetMaker:
        from workbench.training import masks
        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            ended = window.lasting - window.inside
            return Target(ended, masks.of_edges(window, context.absorbing))

        return make
