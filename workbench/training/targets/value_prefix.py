"""Target: running sums of the true rewards."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench.components import Count, TargetConfig
from workbench.models.systems.value_prefix import ValuePrefix as Model
from workbench.registry import register

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig
    from workbench.contracts import Context, TargetMaker
    from workbench.types import Target, Window


@register("target", "value_prefix")
class ValuePrefix(TargetConfig):
    """Sum of the rewards up to state k >= 1, restarted every `horizon` steps.

    The sum is undiscounted, so that a reward is a difference of two sums; past the end it is
    constant.
    """

    role: ClassVar[str] = "value_prefix"

    horizon: Count = Field(5, description="number of steps after which the sum restarts")

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        if isinstance(trial.model, Model) and trial.model.horizon != self.horizon:
            yield (
                f"target 'value_prefix' restarts after {self.horizon} steps, but model "
                f"'value_prefix' after {trial.model.horizon}; leave out "
                "`targets.value_prefix.horizon`, which follows `model.horizon`"
            )

    @override
    def build(self) -> TargetMaker:
        import torch
        import torch.nn.functional as F

        from workbench.training import masks
        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            stretches = torch.split(window.reward[:, : window.unroll], self.horizon, 1)
            prefix = torch.cat([stretch.cumsum(1) for stretch in stretches], 1)
            return Target(F.pad(prefix, (1, 0)), masks.transition_mask(window, context.absorbing))

        return make
