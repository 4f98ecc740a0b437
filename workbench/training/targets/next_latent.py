"""Target: encoding of the true next observations."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from workbench.components import TargetConfig
from workbench.registry import register

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig
    from workbench.contracts import Context, TargetMaker
    from workbench.models.world_model import WorldModel
    from workbench.types import Target, Window


def encoding_incompatibilities(who: str, trial: TrialConfig) -> Iterator[str]:
    """Yield the reasons why encodings of single observations are no targets for the dynamics."""
    spec = trial.model.spec(trial.environment.spec())
    if spec.needs_state:
        yield (
            f"{who} needs learned dynamics, but model '{trial.model.component}' as configured "
            "steps the true environment"
        )
    if spec.memory:
        yield (
            f"{who} encodes each observation separately, but model '{trial.model.component}' as "
            "configured carries memory between steps"
        )


@register("target", "next_latent")
class NextLatent(TargetConfig):
    """Encoding of the true observation at steps k >= 1, without gradient."""

    role: ClassVar[str] = "latent"

    network: Literal["model", "agent", "target"] = Field(
        "model",
        description="encoder: the model in training (SimSiam), the acting model (with EMA weights, "
        "as BYOL's target), or the target network",
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        return encoding_incompatibilities("target 'next_latent'", trial)

    @override
    def build(self) -> TargetMaker:
        from workbench.training import masks
        from workbench.training.window_encoding import encode_window, unflatten_steps
        from workbench.types import Target

        def make(window: Window, context: Context) -> Target:
            networks = {
                "model": context.model,
                "agent": context.agent,
                "target": context.target_model,
            }
            model: WorldModel = networks[self.network]
            code = model.latent_tensor(encode_window(model, window.observation, context.generator))
            # The final state was reached; its repeats past the end were not.
            mask = masks.transition_mask(window, absorbing=False)
            return Target(unflatten_steps(code, window.observation), mask)

        return make
