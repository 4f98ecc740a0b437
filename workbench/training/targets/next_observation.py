"""Target: the true observations."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from workbench.components import TargetConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Context, TargetMaker
    from workbench.types import Target, Window


@register("target", "next_observation")
class NextObservation(TargetConfig):
    """True observation at steps k >= 0, in its stored type."""

    role: ClassVar[str] = "observation"

    @override
    def build(self) -> TargetMaker:
        import torch.nn.functional as F

        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            reached = F.pad(window.valid[:, :-1], (1, 0), value=1.0)
            return Target(window.observation, reached)

        return make
