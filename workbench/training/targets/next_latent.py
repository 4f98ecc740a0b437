"""The encoding of the observation that really followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from workbench.components import TargetConfig
from workbench.registry import register

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig
    from workbench.contracts import Context, TargetMaker
    from workbench.models.world_model import WorldModel
    from workbench.types import Target, Window


def encodable(who: str, trial: TrialConfig) -> Iterator[str]:
    """Says where an observation alone gives no latent that the dynamics could have missed."""
    spec = trial.model.spec(trial.environment.spec())
    if spec.needs_state:
        yield (
            f"{who} is for dynamics that are learned; model '{trial.model.component}' as "
            "configured steps the true environment, and there is nothing to learn from it"
        )
    if spec.memory:
        yield (
            f"{who} encodes each observation by itself; model '{trial.model.component}' as "
            "configured carries its latent from step to step"
        )


@register("target", "next_latent")
class NextLatent(TargetConfig):
    """The encoding of the real observation at step k, from k = 1, without gradient."""

    role: ClassVar[str] = "latent"

    of: Literal["model", "agent", "target"] = Field(
        "model",
        description="who encodes: the model that learns (SimSiam), the slower one that acts "
        "(as the target network of BYOL), or the target network",
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        return encodable("target 'next_latent'", trial)

    def build(self) -> TargetMaker:
        from workbench.training import masks
        from workbench.training.window_encoding import encode, over_steps
        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            model: WorldModel = getattr(context, self.of)
            code = model.code(encode(model, window.observation, context.generator))
            # The state that ends an episode was really reached; its repeats were not.
            mask = masks.of_edges(window, absorbing=False)
            return Target(over_steps(code, window.observation), mask)

        return make
