"""The value of the state that really followed, as the target network sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from workbench.components import TargetConfig
from workbench.registry import register
from workbench.training.targets.next_latent import encodable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig
    from workbench.contracts import Context, TargetMaker
    from workbench.types import Target, Window


@register("target", "next_value")
class NextValue(TargetConfig):
    """The target network's value of the real observation at step k, from k = 1; 0 past the end."""

    role: ClassVar[str] = "next_value"

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        return encodable("target 'next_value'", trial)

    def build(self) -> TargetMaker:
        import torch

        from workbench.training import masks
        from workbench.training.window_encoding import encode, over_steps
        from workbench.types import Target

        @torch.no_grad()
        def make(window: Window, context: Context) -> Target:
            seen = window.observation
            latent = encode(context.target, seen, context.generator)
            value = over_steps(context.target.predict(latent).value, seen)
            mask = masks.of_states(window, context.absorbing).clone()
            mask[:, 0] = 0
            return Target(value.where(window.inside > 0, torch.zeros_like(value)), mask)

        return make
