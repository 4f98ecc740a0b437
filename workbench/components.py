"""What a component of each kind states about itself, before anything heavy is imported.

A component is one file: a configuration class (a subclass of one below), registered by name, whose
`build` imports torch and makes the thing. What a component offers and requires is stated here too,
so that parts which do not fit together fail when the file is read.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from workbench import registry
from workbench.types import LatentKind

if TYPE_CHECKING:
    from torch import nn

    from workbench.config import TrialConfig
    from workbench.contracts import (
        Loss,
        Measure,
        Parts,
        Planner,
        Prediction,
        Procedure,
        TargetMaker,
    )
    from workbench.models.world_model import WorldModel
    from workbench.types import Environment, EnvironmentSpec, LatentSpec, ModelSpec

Positive = Annotated[int, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Config(BaseModel):
    """A frozen record read from a file: unknown keys and wrong types are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Slot:
    """Marks a field that takes a component of `kind`, or with `many` a mapping of them.

    In a mapping the key is the component's name, unless `keyed` says that the entry names it.
    """

    kind: str
    many: bool = False
    keyed: bool = False


class Misfit(Exception):
    """Two components that do not go together; the message names both."""


class ComponentConfig(Config):
    """The configuration of one component; its docstring's first line describes it to users."""

    kind: ClassVar[str] = ""
    component: ClassVar[str] = ""

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        """What does not fit with the rest of the trial, one message each."""
        return iter(())

    def brings(self) -> Mapping[str, Any]:
        """Entries of the trial that come along with it, as a document.

        They lie below what the file says: of an entry that the file has too, its options win.
        """
        return {}

    def notes(self, environment: EnvironmentSpec) -> Iterator[str]:
        """What a reader of the results should be told about it."""
        return iter(())


class EnvironmentConfig(ComponentConfig):
    discount: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="gamma, the discount of one step"
    )

    @abstractmethod
    def spec(self) -> EnvironmentSpec:
        """What it is. Raises Misfit where there is no such world, or a package is missing."""

    @abstractmethod
    def build(self) -> Environment: ...

    def unshaped(self) -> EnvironmentConfig:
        """The world that play is scored in: without what eases training alone."""
        return self

    def check_oracle(self) -> None:
        """Raises Misfit where there is an oracle, but not the package that it needs."""

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        self.spec()
        return iter(())


class RepresentationConfig(ComponentConfig):
    """h: observation to latent."""

    trainable: ClassVar[bool] = True
    row_independent: ClassVar[bool] = True

    @abstractmethod
    def latent(self, environment: EnvironmentSpec) -> LatentSpec:
        """The latent that it ends in. Raises Misfit where it cannot read the environment."""

    @abstractmethod
    def build(self, environment: EnvironmentSpec) -> nn.Module:
        """A module [B, *observation] -> [B, *latent.shape]."""


class DynamicsConfig(ComponentConfig):
    """g: latent and action to the next latent."""

    trainable: ClassVar[bool] = True
    row_independent: ClassVar[bool] = True
    simulator: ClassVar[bool] = False
    """Whether it steps the true environment; then it has no reward or termination to learn."""

    accepts: ClassVar[frozenset[LatentKind]] = frozenset()
    """Kinds of latent that it can step."""

    def check(self, environment: EnvironmentSpec) -> None:
        """Raises Misfit where the environment lacks something that it needs."""

    @abstractmethod
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        """A module ([B, *latent.shape], action [B]) -> [B, *latent.shape].

        Of a simulator it is the noise on what is encoded: `networks.noise.GaussianWalk`.
        """


class PredictionConfig(ComponentConfig):
    """f: latent to policy and value; and the heads of an edge: reward and termination."""

    def check(self, latent: LatentSpec, environment: EnvironmentSpec) -> None:
        """Raises Misfit where it cannot read such a latent."""

    @abstractmethod
    def build(self, latent: LatentSpec, environment: EnvironmentSpec, edges: bool) -> Prediction:
        """The heads of a latent; with `edges`, of an edge too."""


class DecoderConfig(ComponentConfig):
    """Latent back to observation."""

    def check(self, latent: LatentSpec, environment: EnvironmentSpec) -> None:
        """Raises Misfit where it cannot read such a latent."""

    @abstractmethod
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        """A module [B, *latent.shape] -> [B, *observation]: of bool planes it gives the logits."""


class ModelConfig(ComponentConfig):
    """A whole world model."""

    @abstractmethod
    def spec(self, environment: EnvironmentSpec) -> ModelSpec:
        """What the model offers. Raises Misfit where its parts do not fit."""

    @abstractmethod
    def build(self, environment: Environment, discount: float, seed: int) -> WorldModel: ...


class PlannerConfig(ComponentConfig):
    @abstractmethod
    def build(self, environment: EnvironmentSpec) -> Planner: ...


class LossConfig(ComponentConfig):
    """A term of the objective. In a file `policy: 0.5` stands for `policy: {weight: 0.5}`."""

    requires: ClassVar[frozenset[str]] = frozenset()
    """Heads of the model that it reads."""
    targets: ClassVar[frozenset[str]] = frozenset()
    """Targets that it reads."""
    entrywise: ClassVar[bool] = True
    """Whether the error of an entry is the same whichever others are masked."""

    weight: NonNegative = Field(1.0, description="factor of this term in the objective")

    @abstractmethod
    def build(self, model: WorldModel) -> Loss: ...

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        for target in sorted(self.targets - set(trial.targets)):
            makers = " or ".join(makers_of(target)) or "no component makes one"
            yield (
                f"loss '{self.component}' needs a target '{target}'; "
                f"add `targets.{target}`: {makers}"
            )
        offered = trial.model.spec(trial.environment.spec()).heads
        for head in sorted(self.requires - offered):
            yield (
                f"loss '{self.component}' needs a '{head}' head, which model "
                f"'{trial.model.component}' as configured does not have"
            )


class TargetConfig(ComponentConfig):
    """What a prediction is compared with."""

    role: ClassVar[str] = ""
    """The key under `targets` at which losses look for it."""

    @property
    def lookahead(self) -> int:
        """How many steps past the last unrolled one it reads."""
        return 0

    @abstractmethod
    def build(self) -> TargetMaker: ...


def makers_of(role: str) -> list[str]:
    """Names of the target components that can stand at `targets.<role>`."""
    known = registry.components("target").items()
    return [name for name, cls in known if issubclass(cls, TargetConfig) and cls.role == role]


class ProcedureConfig(ComponentConfig):
    @abstractmethod
    def build(self, parts: Parts) -> Procedure: ...


class MeasureConfig(ComponentConfig):
    version: ClassVar[int] = 1
    """Raised when the same options come to measure something else: stored results are then old."""

    @classmethod
    def thorough(cls, trial: TrialConfig) -> Self | None:
        """As a finished agent is measured by it; None if it is only for use while training."""
        return cls()

    @abstractmethod
    def build(self, parts: Parts) -> Measure: ...
