"""MuZero's model with a value prefix in the place of rewards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from workbench.components import Misfit, Positive
from workbench.models.systems.composed import Composed
from workbench.registry import register
from workbench.types import Environment, EnvironmentSpec, ModelSpec

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.models.world_model import WorldModel


@register("model", "value_prefix")
class ValuePrefix(Composed):
    """Composed, with an LSTM that predicts sums of rewards (EfficientZero, 2021, section 4.2).

    A step's reward is by how much the sum grows, so that any planner can use it. It brings
    `losses.value_prefix` and `targets.value_prefix` into the trial, in the place of `reward`. The
    prediction's option `reward` says how the sums are written: its range is that of `horizon`
    rewards together.
    """

    horizon: Positive = Field(5, description="steps after which the LSTM and the sum begin anew")
    units: Positive = Field(64, description="of the LSTM (EfficientZero on Atari: 512)")

    def brings(self) -> Mapping[str, Any]:
        return {
            "targets": {"value_prefix": {"name": "value_prefix", "horizon": self.horizon}},
            "losses": {"value_prefix": {"name": "value_prefix", "weight": 1.0}},
        }

    def spec(self, environment: EnvironmentSpec) -> ModelSpec:
        spec = super().spec(environment)
        if spec.needs_state:
            raise Misfit(
                "model 'value_prefix' learns to predict rewards, which dynamics "
                f"'{self.dynamics.component}' knows; use model 'composed'"
            )
        return replace(spec, heads=spec.heads - {"reward"} | {"value_prefix"})

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        environment = trial.environment.spec()
        if environment.alternating:
            yield (
                "model 'value_prefix' adds up the rewards of one side; in environment "
                f"'{environment.name}' two play against each other; use model 'composed'"
            )
        yield from super().misfits(trial)

    def build(self, environment: Environment, discount: float, seed: int) -> WorldModel:
        from workbench.models.prefix_model import Ledger, PrefixModel
        from workbench.randomness import seeded

        learned: Any = super().build(environment, discount, seed)
        with seeded(seed, "init/value_prefix"):
            ledger = Ledger(learned.spec.latent.shape, self.units)
        return PrefixModel(learned, ledger, self.horizon)
