"""MuZero's model: a representation, a dynamics and a prediction, each exchangeable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from workbench.components import (
    DynamicsConfig,
    Misfit,
    ModelConfig,
    PredictionConfig,
    RepresentationConfig,
    Slot,
)
from workbench.registry import register
from workbench.types import Environment, EnvironmentSpec, ModelSpec

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.models.world_model import WorldModel


@register("model", "composed")
class Composed(ModelConfig):
    """Joins a representation h, a dynamics g and a prediction f (MuZero)."""

    representation: Annotated[RepresentationConfig, Slot("representation")]
    dynamics: Annotated[DynamicsConfig, Slot("dynamics")]
    prediction: Annotated[PredictionConfig, Slot("prediction")]
    latent_norm: Literal["min_max", "layer_norm", "l2", "none"] = Field(
        "min_max", description="scaling of every latent, after h and after g"
    )

    def spec(self, environment: EnvironmentSpec) -> ModelSpec:
        latent = self.representation.latent(environment)
        if latent.kind not in self.dynamics.accepts:
            raise Misfit(
                f"dynamics '{self.dynamics.component}' needs a latent of kind "
                f"{' or '.join(sorted(self.dynamics.accepts))}; representation "
                f"'{self.representation.component}' as configured ends in {latent.kind}"
            )
        self.dynamics.check(environment)
        simulator = self.dynamics.simulator
        heads = {"policy", "value"} | ({"legal"} if simulator else {"reward", "termination"})
        return ModelSpec(
            latent=latent,
            actions=environment.actions,
            heads=frozenset(heads),
            needs_state=simulator,
        )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        environment = trial.environment.spec()
        if environment.agents != 1 or environment.chance:
            yield (
                f"model 'composed' is for one mover and no chance; environment "
                f"'{environment.name}' has {environment.agents} agents and "
                f"{environment.chance} outcomes of chance"
            )
        self.spec(environment)

    def build(self, environment: Environment, discount: float, seed: int) -> WorldModel:
        from workbench.models import joined
        from workbench.models.layers import LatentNorm
        from workbench.randomness import seeded

        world = environment.spec
        spec = self.spec(world)
        with seeded(seed, "init/representation"):
            encode = self.representation.build(world)
        with seeded(seed, "init/prediction"):
            prediction = self.prediction.build(spec.latent, world, not spec.needs_state)
        norm = LatentNorm(self.latent_norm)
        if spec.needs_state:
            return joined.SimulatedModel(spec, encode, prediction, norm, environment)
        with seeded(seed, "init/dynamics"):
            dynamics = self.dynamics.build(spec.latent, world)
        signed = -discount if world.alternating else discount
        return joined.LearnedModel(spec, encode, dynamics, prediction, norm, signed)
