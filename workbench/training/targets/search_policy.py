"""The search's visit distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from workbench.components import TargetConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Context, TargetMaker
    from workbench.types import Target, Window


@register("target", "search_policy")
class SearchPolicy(TargetConfig):
    """The visits of the search that chose the move; nothing is learned past the end."""

    role: ClassVar[str] = "policy"

    def build(self) -> TargetMaker:
        from workbench.training import masks
        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            return Target(window.policy, masks.of_states(window, absorbing=False))

        return make
