"""Target: policy of the search."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from workbench.components import TargetConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Context, TargetMaker
    from workbench.types import Target, Window


@register("target", "search_policy")
class SearchPolicy(TargetConfig):
    """Policy of the search at acting time, such as its visit counts; masked past the end."""

    role: ClassVar[str] = "policy"

    @override
    def build(self) -> TargetMaker:
        from workbench.training import masks
        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            return Target(window.policy, masks.state_mask(window, absorbing=False))

        return make
