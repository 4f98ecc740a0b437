"""Base classes of component configurations, importable without torch.

A component is one file: a configuration class (a subclass of one below), registered by name, whose
`build` imports torch and constructs the object. The class also declares what the component offers
and requires, so that incompatible components are rejected when the file is read.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import override

from workbench import registry
from workbench.types import LatentKind

if TYPE_CHECKING:
    from torch import nn

    from workbench.config import TrialConfig
    from workbench.contracts import (
        Loss,
        Measure,
        Planner,
        Prediction,
        Procedure,
        TargetMaker,
        TrialParts,
    )
    from workbench.models.world_model import WorldModel
    from workbench.types import Environment, EnvironmentSpec, LatentSpec, ModelSpec

MOST = 10**9
"""Upper bound of numbers without one of their own; a larger number is taken for a typing error."""
MOST_STEPS = 10**12
"""Upper bound of environment steps."""

Positive = Annotated[int, Field(gt=0, le=MOST)]
Steps = Annotated[int, Field(gt=0, le=MOST_STEPS)]
Width = Annotated[int, Field(gt=0, le=16_384)]
"""Number of units, channels or features."""
Count = Annotated[int, Field(gt=0, le=256)]
"""Number of parts that are built or computed one by one, such as layers and unrolled steps."""
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Config(BaseModel):
    """Base of all records read from files: frozen; unknown keys and wrong types are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class ComponentField:
    """Annotation of a field that holds a component, or a mapping of components."""

    kind: str
    """Kind of the component."""
    many: bool = False
    """Whether the field holds a mapping of components."""
    keyed: bool = False
    """Whether an entry of the mapping names its component; else its key does."""


class Incompatible(Exception):
    """Two components cannot be combined. The message names both."""


class ComponentConfig(Config):
    """The configuration of one component.

    `workbench list` shows the first line of a subclass's docstring as its description.
    """

    kind: ClassVar[str] = ""
    component: ClassVar[str] = ""
    """Registered name of the component."""

    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        """Yield one message for each incompatibility with the rest of the trial."""
        return iter(())

    def costly_incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        """Yield incompatibilities that are found by building parts of the trial.

        They are checked only if the trial has no other problem.
        """
        return iter(())

    def implied_config(self) -> Mapping[str, Any]:
        """Return entries that this component adds to the trial's configuration, as nested mappings.

        Options in the trial's file override them.
        """
        return {}

    def notes(self, environment: EnvironmentSpec) -> Iterator[str]:
        """Yield remarks on this component for readers of the results."""
        return iter(())


class EnvironmentConfig(ComponentConfig):
    """The configuration of an environment."""

    discount: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="gamma, discount factor per step"
    )

    @abstractmethod
    def spec(self) -> EnvironmentSpec:
        """Return the environment's static properties.

        Raises:
            Incompatible: there is no such environment, or a package is missing.
        """

    @abstractmethod
    def build(self) -> Environment:
        """Build the environment."""

    def evaluation_config(self) -> EnvironmentConfig:
        """Return the environment in which play is scored, without training-only modifications."""
        return self

    def check_oracle(self) -> None:
        """Check that the package of the oracle is installed, if there is an oracle.

        Raises:
            Incompatible: the package is missing.
        """

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        self.spec()
        return iter(())


class RepresentationConfig(ComponentConfig):
    """The representation function h, from observation to latent."""

    trainable: ClassVar[bool] = True
    """Whether the module has parameters to train."""
    row_independent: ClassVar[bool] = True
    """Whether each row of a batch is processed independently of the others."""

    @abstractmethod
    def latent(self, environment: EnvironmentSpec) -> LatentSpec:
        """Return kind and shape of the latent.

        Raises:
            Incompatible: it cannot encode the environment's observations.
        """

    @abstractmethod
    def build(self, environment: EnvironmentSpec) -> nn.Module:
        """Build a module from [B, *observation] to [B, *latent.shape]."""


class DynamicsConfig(ComponentConfig):
    """The dynamics function g, from latent and action to the next latent."""

    trainable: ClassVar[bool] = True
    """Whether the module has parameters to train."""
    row_independent: ClassVar[bool] = True
    """Whether each row of a batch is processed independently of the others."""
    simulator: ClassVar[bool] = False
    """Whether it steps the true environment. Then there is no reward or termination to learn."""

    accepts: ClassVar[frozenset[LatentKind]] = frozenset()
    """Kinds of latent that it accepts."""

    def check(self, environment: EnvironmentSpec) -> None:
        """Check that the environment has everything that the dynamics need.

        Raises:
            Incompatible: it lacks something.
        """

    @abstractmethod
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        """Build a module from latent [B, *latent.shape] and action [B] to [B, *latent.shape].

        For a simulator, the module is the noise on its encoded states instead:
        `networks.noise.GaussianWalk`.
        """


class PredictionConfig(ComponentConfig):
    """The prediction function f, from latent to policy and value.

    It also contains the heads of a transition between two latents: reward and termination.
    """

    def check(self, latent: LatentSpec, environment: EnvironmentSpec) -> None:
        """Check the kind and shape of the latent.

        Raises:
            Incompatible: the heads or decoder cannot read such a latent.
        """

    @abstractmethod
    def build(self, latent: LatentSpec, environment: EnvironmentSpec, edges: bool) -> Prediction:
        """Build the heads of latents and, if `edges` is true, also those of transitions."""


class DecoderConfig(ComponentConfig):
    """A decoder, from latent to observation."""

    def check(self, latent: LatentSpec, environment: EnvironmentSpec) -> None:
        """Check the kind and shape of the latent.

        Raises:
            Incompatible: the heads or decoder cannot read such a latent.
        """

    @abstractmethod
    def build(self, latent: LatentSpec, environment: EnvironmentSpec) -> nn.Module:
        """Build a module from [B, *latent.shape] to [B, *observation].

        For binary planes its outputs are logits.
        """


class ModelConfig(ComponentConfig):
    """A complete world model."""

    @abstractmethod
    def spec(self, environment: EnvironmentSpec) -> ModelSpec:
        """Return the capabilities of the model.

        Raises:
            Incompatible: the parts of the model cannot be combined.
        """

    @abstractmethod
    def build(self, environment: Environment, discount: float, seed: int) -> WorldModel:
        """Build the model; its initialisation depends only on `seed`."""


class PlannerConfig(ComponentConfig):
    """The configuration of a planner."""

    @abstractmethod
    def build(self, environment: EnvironmentSpec) -> Planner:
        """Build the planner."""


class LossConfig(ComponentConfig):
    """A term of the objective. In a file `policy: 0.5` is short for `policy: {weight: 0.5}`."""

    requires: ClassVar[frozenset[str]] = frozenset()
    """Names of the model heads that it reads."""
    targets: ClassVar[frozenset[str]] = frozenset()
    """Names of the targets that it reads."""
    entrywise: ClassVar[bool] = True
    """Whether the loss of an entry does not depend on which other entries are masked."""

    weight: NonNegative = Field(1.0, description="weight of this term in the objective")

    @abstractmethod
    def build(self, model: WorldModel) -> Loss:
        """Build the loss for a model."""

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        for target in sorted(self.targets - set(trial.targets)):
            makers = " or ".join(target_makers(target)) or "no component makes one"
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
    """The configuration of a training target."""

    role: ClassVar[str] = ""
    """Key under `targets` at which losses look for it."""

    @property
    def lookahead(self) -> int:
        """Number of steps after the last unrolled one that it reads."""
        return 0

    @abstractmethod
    def build(self) -> TargetMaker:
        """Build the target maker."""


def target_makers(role: str) -> list[str]:
    """Return the names of the target components that are allowed at `targets.<role>`."""
    known = registry.components("target").items()
    return [name for name, cls in known if issubclass(cls, TargetConfig) and cls.role == role]


class ProcedureConfig(ComponentConfig):
    """The configuration of a training procedure."""

    makes_updates: ClassVar[bool] = True
    """Whether it updates the model. If so, a trial that ends without an update fails."""

    @abstractmethod
    def build(self, parts: TrialParts) -> Procedure:
        """Build the procedure for the objects of a trial."""


class MeasureConfig(ComponentConfig):
    """The configuration of a measure."""

    version: ClassVar[int] = 1
    """Version of the measure. Increase it when the same options give different results.

    Stored results of older versions are then measured again.
    """

    @classmethod
    def for_evaluation(cls, trial: TrialConfig) -> Self | None:
        """Return the options for finished agents; None if the measure is for training only."""
        return cls()

    @abstractmethod
    def build(self, parts: TrialParts) -> Measure:
        """Build the measure for the objects of a trial."""
