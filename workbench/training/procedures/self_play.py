"""Self-play training: act, store and update at a fixed ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from typing_extensions import override

from workbench.components import (
    MOST,
    Fraction,
    NonNegative,
    Positive,
    ProcedureConfig,
    Steps,
    target_makers,
)
from workbench.registry import register
from workbench.training.settings import (
    OptimiserConfig,
    PrioritiesConfig,
    RandomStartConfig,
    ReanalyseConfig,
    TemperatureConfig,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig
    from workbench.contracts import Procedure, TrialParts


@register("procedure", "self_play")
class SelfPlay(ProcedureConfig):
    """Self-play by search with updates at a fixed ratio to environment steps (MuZero)."""

    steps: Steps = Field(500_000, description="environment steps of the whole trial")
    parallel_environments: Annotated[int, Field(gt=0, le=100_000)] = Field(
        512, description="number of episodes played in parallel"
    )
    batch_size: Positive = Field(256, description="number of windows per update")
    replay_ratio: Annotated[float, Field(gt=0)] = Field(
        3.0, description="number of windows trained on per environment step"
    )
    warm_up: Steps = Field(2_000, description="number of stored steps before the first update")
    capacity: Steps = Field(60_000, description="capacity of the replay buffer, in steps")
    memory_mb: NonNegative = Field(
        0.0,
        description="memory limit of the replay buffer in MB (2**20 bytes), which may lower its "
        "capacity; with `sequence_length`, it includes episodes in progress; 0: no limit",
    )
    sequence_length: Annotated[int, Field(ge=0, le=MOST)] = Field(
        0,
        description="number of steps after which an unfinished episode is stored as truncated, "
        "which bounds memory (MuZero on Atari: 200); 0: store whole episodes only",
    )
    priorities: PrioritiesConfig = Field(
        default_factory=PrioritiesConfig, description="prioritised sampling of stored steps"
    )
    reanalyse: ReanalyseConfig = Field(
        default_factory=ReanalyseConfig, description="repeated searches of stored steps"
    )
    augment: bool = Field(
        False, description="whether every window is transformed by a random symmetry of the board"
    )
    unroll: Annotated[int, Field(ge=0, le=1_000)] = Field(
        5, description="K, number of unrolled steps in training"
    )
    past_end: Literal["absorbing", "mask"] = Field(
        "absorbing",
        description=(
            "steps past a terminal state: train on absorbing states (the paper), or mask them"
        ),
    )
    gradient_scale: Fraction = Field(
        0.5, description="factor of the gradient at each unrolled step (the paper: 0.5)"
    )
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description=(
            "decay of an exponential moving average of the weights, which acts; 0 disables it"
        ),
    )
    target_every: Annotated[int, Field(ge=0, le=MOST)] = Field(
        0,
        description="number of updates between two copies of the weights into the target network, "
        "which reanalyse and targets use; 0: they use the acting model",
    )
    optimiser: OptimiserConfig = Field(
        default_factory=OptimiserConfig, description="optimiser of all parameters"
    )
    random_start: RandomStartConfig = Field(
        default_factory=RandomStartConfig,
        description="random actions at the start of training episodes",
    )
    temperature: TemperatureConfig = Field(
        default_factory=TemperatureConfig, description="sampling of actions during training"
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        # At most every other stored row is the final state of an episode.
        most = min(self.steps, self.capacity // 2)
        if self.warm_up > most:
            yield (
                f"procedure 'self_play' would make no update: warm_up is {self.warm_up}, but steps "
                f"and half of the capacity allow at most {most}"
            )
        elif (self.steps - self.warm_up) * self.replay_ratio < self.batch_size:
            yield (
                f"procedure 'self_play' would make no update: {self.steps - self.warm_up} steps "
                f"after "
                f"the warm_up at a replay_ratio of {self.replay_ratio:g} yield less than one batch "
                f"of {self.batch_size}"
            )
        if self.sequence_length and self.temperature.sampled_actions is not None:
            yield (
                "sequence_length: the step count restarts in every stored sequence, so that "
                "`temperature.sampled_actions` cannot be applied; set it to null"
            )
        spec = trial.environment.spec()
        if self.random_start.fraction and not spec.cloneable:
            yield (
                f"random_start: environment '{trial.environment.component}' is forward-only, but "
                "random starts need cloneable states; set `random_start.fraction: 0`"
            )
        if not any(loss.weight for loss in trial.losses.values()):
            yield "procedure 'self_play' needs a loss with a weight above 0"
        if self.priorities.alpha and "value" not in trial.targets:
            yield (
                "priorities: the value error needs a target 'value'; add "
                f"`targets.value`: {' or '.join(target_makers('value'))}"
            )
        yield from self._reanalysable(trial)
        if self.augment:
            yield from self._augmentable(trial)

    def _reanalysable(self, trial: TrialConfig) -> Iterator[str]:
        if not self.reanalyse.ratio:
            return
        if not (self.reanalyse.policy or self.reanalyse.value):
            yield (
                "reanalyse would have no effect: neither policy nor value is replaced; set one of "
                "`reanalyse.policy` and `reanalyse.value`, or `reanalyse.ratio: 0`"
            )
        if trial.model.spec(trial.environment.spec()).memory:
            yield (
                f"reanalyse searches from single stored steps, but model "
                f"'{trial.model.component}' as "
                "configured carries memory between steps; set `reanalyse.ratio: 0`"
            )

    def _augmentable(self, trial: TrialConfig) -> Iterator[str]:
        spec = trial.environment.spec()
        if len(spec.symmetries) < 2:
            yield (
                f"augment would have no effect: environment '{trial.environment.component}' "
                f"states no "
                "symmetry; set `augment: false`"
            )
        if trial.model.spec(spec).needs_state:
            yield (
                f"augment transforms observations, but model '{trial.model.component}' as "
                f"configured "
                "steps the true environment, whose states it cannot transform; set `augment: false`"
            )

    @override
    def build(self, parts: TrialParts) -> Procedure:
        from workbench.training.self_play_loop import SelfPlayLoop

        return SelfPlayLoop(parts, self)
