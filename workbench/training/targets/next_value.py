"""Target: value of the true next states by the target network."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from workbench.components import TargetConfig
from workbench.registry import register
from workbench.training.targets.next_latent import encoding_incompatibilities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig
    from workbench.contracts import Context, TargetMaker
    from workbench.types import Target, Window


@register("target", "next_value")
class NextValue(TargetConfig):
    """Target network's value of the true observation at steps k >= 1; 0 past the end."""

    role: ClassVar[str] = "next_value"

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        return encoding_incompatibilities("target 'next_value'", trial)

    @override
    def build(self) -> TargetMaker:
        import torch

        from workbench.training import masks
        from workbench.training.window_encoding import encode_window, unflatten_steps
        from workbench.types import Target

        @torch.no_grad()
        def make(window: Window, context: Context) -> Target:
            seen = window.observation
            latent = encode_window(context.target_model, seen, context.generator)
            value = unflatten_steps(context.target_model.predict(latent).value, seen)
            mask = masks.state_mask(window, context.absorbing).clone()
            mask[:, 0] = 0
            return Target(value.where(window.valid > 0, torch.zeros_like(value)), mask)

        return make
