"""Model `value_prefix`: MuZero's model with value prefixes instead of rewards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field
from typing_extensions import override

from workbench.components import Count, Incompatible, Width
from workbench.models.systems.composed import Composed
from workbench.registry import register
from workbench.types import Environment, EnvironmentSpec, ModelSpec

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.models.world_model import WorldModel


@register("model", "value_prefix")
class ValuePrefix(Composed):
    """`composed` with an LSTM that predicts sums of rewards (EfficientZero, 2021, section 4.2).

    The reward of a step is the increase of the sum, so that every planner can use it. The model
    implies `losses.value_prefix` and `targets.value_prefix` instead of `reward`. The prediction's
    option `reward` is the encoding of the sums: its range must cover `horizon` rewards.
    """

    horizon: Count = Field(5, description="number of steps after which LSTM and sum restart")
    units: Width = Field(64, description="units of the LSTM (EfficientZero on Atari: 512)")

    @override
    def implied_config(self) -> Mapping[str, Any]:
        return {
            "targets": {"value_prefix": {"name": "value_prefix", "horizon": self.horizon}},
            "losses": {"value_prefix": {"name": "value_prefix", "weight": 1.0}},
        }

    @override
    def spec(self, environment: EnvironmentSpec) -> ModelSpec:
        spec = super().spec(environment)
        if spec.needs_state:
            raise Incompatible(
                "model 'value_prefix' learns to predict rewards, which dynamics "
                f"'{self.dynamics.component}' knows; use model 'composed'"
            )
        return replace(spec, heads=spec.heads - {"reward"} | {"value_prefix"})

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        environment = trial.environment.spec()
        if environment.alternating:
            yield (
                "model 'value_prefix' adds up the rewards of one side; in environment "
                f"'{environment.name}' two play against each other; use model 'composed'"
            )
        yield from super().incompatibilities(trial)

    @override
    def build(self, environment: Environment, discount: float, seed: int) -> WorldModel:
        from workbench.models.prefix_model import PrefixModel, RewardLSTM
        from workbench.randomness import seeded

        learned: Any = super().build(environment, discount, seed)
        with seeded(seed, "init/value_prefix"):
            reward_lstm = RewardLSTM(learned.spec.latent.shape, self.units)
        return PrefixModel(learned, reward_lstm, self.horizon)
