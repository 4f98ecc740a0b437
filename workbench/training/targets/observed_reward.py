"""Target: the true rewards."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from workbench.components import TargetConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.contracts import Context, TargetMaker
    from workbench.types import Target, Window


@register("target", "observed_reward")
class ObservedReward(TargetConfig):
    """Reward of the transition into state k >= 1; 0 past the end."""

    role: ClassVar[str] = "reward"

    @override
    def build(self) -> TargetMaker:
        import torch.nn.functional as F

        from workbench.training import masks
        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            reward = F.pad(window.reward[:, : window.unroll], (1, 0))
            return Target(reward, masks.transition_mask(window, context.absorbing))

        return make
