"""The observation that was really made."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from workbench.components import TargetConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Context, TargetMaker
    from workbench.types import Target, Window


@register("target", "next_observation")
class NextObservation(TargetConfig):
    """The observation at step k, from k = 0, in the type that it is stored in."""

    role: ClassVar[str] = "observation"

    def build(self) -> TargetMaker:
        import torch.nn.functional as F

        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            reached = F.pad(window.inside[:, :-1], (1, 0), value=1.0)
            return Target(window.observation, reached)

        return make
