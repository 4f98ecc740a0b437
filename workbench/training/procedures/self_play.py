"""Joint self-play: act, store, learn, at a fixed ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from workbench.components import Fraction, NonNegative, Positive, ProcedureConfig, makers_of
from workbench.registry import register
from workbench.training.settings import (
    OpeningConfig,
    OptimiserConfig,
    PrioritiesConfig,
    ReanalyseConfig,
    TemperatureConfig,
)

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
    memory_mb: NonNegative = Field(
        0.0,
        description="the replay holds fewer steps if these take more MB (of 2**20), where there is "
        "a `sequence` together with the games in play; 0: no limit",
    )
    sequence: Annotated[int, Field(ge=0)] = Field(
        0,
        description="moves after which an episode that goes on is stored as if it were cut there, "
        "so that long games take no memory beyond (the paper for Atari: 200); 0: stored at its end",
    )
    priorities: PrioritiesConfig = Field(
        default_factory=PrioritiesConfig, description="which stored steps are trained on more often"
    )
    reanalyse: ReanalyseConfig = Field(
        default_factory=ReanalyseConfig, description="stored steps that are searched anew"
    )
    augment: bool = Field(
        False, description="whether every window is turned by a random symmetry of the board"
    )
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
    target_every: Annotated[int, Field(ge=0)] = Field(
        0,
        description="updates between two copies of the weights that learn into the target network, "
        "which reanalyse and targets read; 0: the model that acts stands in its place",
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
        elif (self.steps - self.warm_up) * self.replay_ratio < self.batch:
            yield (
                f"procedure 'self_play' would never learn: {self.steps - self.warm_up} steps after "
                f"the warm_up at a replay_ratio of {self.replay_ratio:g} do not come to one batch "
                f"of {self.batch}"
            )
        if self.sequence and self.temperature.moves is not None:
            yield (
                "sequence: an episode's moves are counted anew in each of its sequences, and "
                "`temperature.moves` counts them; set `temperature.moves: null`"
            )
        world = trial.environment.spec()
        if self.opening.fraction and not world.copyable:
            yield (
                f"opening: environment '{trial.environment.component}' can only go forward, and "
                "random openings need states that can be put back; set `opening.fraction: 0`"
            )
        if not any(loss.weight for loss in trial.losses.values()):
            yield "procedure 'self_play' needs a loss with a weight above 0"
        if self.priorities.alpha and "value" not in trial.targets:
            yield (
                "priorities: the error of the value needs a target 'value'; add "
                f"`targets.value`: {' or '.join(makers_of('value'))}"
            )
        yield from self._reanalysable(trial)
        if self.augment:
            yield from self._turnable(trial)

    def _reanalysable(self, trial: TrialConfig) -> Iterator[str]:
        if not self.reanalyse.ratio:
            return
        if not (self.reanalyse.policy or self.reanalyse.value):
            yield (
                "reanalyse would do nothing: neither policy nor value is replaced; set one of "
                "`reanalyse.policy` and `reanalyse.value`, or `reanalyse.ratio: 0`"
            )
        if trial.model.spec(trial.environment.spec()).memory:
            yield (
                f"reanalyse searches from one stored step; model '{trial.model.component}' as "
                "configured carries its latent from step to step; set `reanalyse.ratio: 0`"
            )

    def _turnable(self, trial: TrialConfig) -> Iterator[str]:
        world = trial.environment.spec()
        if len(world.symmetries) < 2:
            yield (
                f"augment would do nothing: environment '{trial.environment.component}' states no "
                "symmetry; set `augment: false`"
            )
        if trial.model.spec(world).needs_state:
            yield (
                f"augment turns what is observed; model '{trial.model.component}' as configured "
                "steps the true environment, whose state cannot be turned; set `augment: false`"
            )

    def build(self, parts: Parts) -> Procedure:
        from workbench.training.self_play_loop import JointSelfPlay

        return JointSelfPlay(parts, self)
