"""Joint self-play: act, store, learn, at a fixed ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from workbench.components import Fraction, Positive, ProcedureConfig
from workbench.registry import register
from workbench.training.settings import OpeningConfig, OptimiserConfig, TemperatureConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig
    from workbench.contracts import Parts, Procedure


@register("procedure", "self_play")
class SelfPlay(ProcedureConfig):
    """Searches, plays, stores and learns in one loop, updates in fixed ratio to steps (MuZero)."""

    steps: Positive = Field(500_000, description="environment steps of the whole trial")
    games: Positive = Field(512, description="episodes played side by side")
    batch: Positive = Field(256, description="windows of one update")
    replay_ratio: Annotated[float, Field(gt=0)] = Field(
        3.0, description="windows trained on for each environment step"
    )
    warm_up: Positive = Field(2_000, description="stored steps before the first update")
    capacity: Positive = Field(60_000, description="steps that the replay holds")
    unroll: Annotated[int, Field(ge=0)] = Field(5, description="K, steps of the model in training")
    terminal: Literal["absorbing", "mask"] = Field(
        "absorbing",
        description="past the end: learn that nothing follows (the paper), or learn nothing",
    )
    gradient_scale: Fraction = Field(
        0.5, description="factor of the gradient from a later unrolled step (the paper: 0.5)"
    )
    average: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="decay of a moving average of the weights, which acts; 0 for none"
    )
    optimiser: OptimiserConfig = Field(
        default_factory=OptimiserConfig, description="of all parameters together"
    )
    opening: OpeningConfig = Field(
        default_factory=OpeningConfig, description="random first moves while training"
    )
    temperature: TemperatureConfig = Field(
        default_factory=TemperatureConfig, description="how moves are drawn while training"
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        # Of the stored rows at most every other one is the final state of an episode.
        most = min(self.steps, self.capacity // 2)
        if self.warm_up > most:
            yield (
                f"procedure 'self_play' would never learn: warm_up is {self.warm_up}, and steps "
                f"and half of the capacity allow at most {most}"
            )
        world = trial.environment.spec()
        if self.opening.fraction and not world.copyable:
            yield (
                f"opening: environment '{trial.environment.component}' can only go forward, and "
                "random openings need states that can be put back; set `opening.fraction: 0`"
            )
        if not any(loss.weight for loss in trial.losses.values()):
            yield "procedure 'self_play' needs a loss with a weight above 0"

    def build(self, parts: Parts) -> Procedure:
        from workbench.training.joint import JointSelfPlay

        return JointSelfPlay(parts, self)
