"""The protocols of what components build. Light: torch is imported for the annotations only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from workbench.config import TrialConfig
    from workbench.models.value_encoding import Codec
    from workbench.models.world_model import WorldModel
    from workbench.randomness import Streams
    from workbench.types import (
        Environment,
        Heads,
        Latent,
        Plan,
        Target,
        Unroll,
        Window,
    )


class Prediction(Protocol):
    """Heads over latents and edges: a torch module."""

    @property
    def codecs(self) -> Mapping[str, Codec]:
        """How the scalars `value` (and `reward`) are written as network outputs."""
        ...

    def heads(self, latent: Tensor) -> Heads: ...

    def edge(self, latent: Tensor) -> Mapping[str, Tensor]:
        """Raw outputs of the edge that led to `latent`: reward [B, atoms], termination [B]."""
        ...


class Planner(Protocol):
    """Improves on a model's prior at a batch of roots.

    root = model.represent(observation, generator)
    plan = planner.plan(model, root, legal, generator)
    """

    @property
    def differentiable(self) -> bool:
        """Whether a loss may read the plan; then `plan` keeps the gradient."""
        ...

    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: Tensor,
        generator: Generator,
        explore: bool = False,
    ) -> Plan: ...


@dataclass(frozen=True)
class Context:
    """What a target may be made with, beside the window."""

    absorbing: bool
    """Past a termination: learn that nothing follows, or (False) learn nothing."""
    model: WorldModel
    """The model that learns."""
    agent: WorldModel
    """The model as it acts: slower than the one that learns, where weights are averaged."""
    planner: Planner
    generator: Generator
    copied: WorldModel | None = None
    """An earlier copy of the model that learns, where the procedure keeps one."""

    @property
    def target(self) -> WorldModel:
        """The target network: the earlier copy, or without one the model as it acts."""
        return self.agent if self.copied is None else self.copied


class TargetMaker(Protocol):
    """Makes one named target from a window of experience, at unroll steps 0..K."""

    def __call__(self, window: Window, context: Context) -> Target: ...


class Loss(Protocol):
    """One term of the objective: per row and unroll step, masked. [B, K+1]

    `plan` is the planner's at the window's first state where the planner is differentiable. A
    loss with parameters of its own is a torch module: they are optimised beside the model's.
    """

    def __call__(
        self, unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None
    ) -> Tensor: ...


class Procedure(Protocol):
    """Owns data and schedule: advances until done; all it needs to go on is in its state.

    One that has figures for the trial's result gives them by a method `facts() -> dict`.
    """

    steps: int
    """Environment steps so far (or examples, where there is no environment)."""
    updates: int

    @property
    def fraction(self) -> float:
        """How much of the whole is done, 0 to 1."""
        ...

    @property
    def agent(self) -> WorldModel:
        """The model as it acts and is measured."""
        ...

    def advance(self) -> None:
        """One round of work: some data, some updates. Raises TrialDiverged."""
        ...

    def diagnostics(self) -> dict[str, float]:
        """Training figures since the last call, named `training/...`."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Measure(Protocol):
    """Says how good a model is, without changing it or drawing from the training streams."""

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]: ...

    def facts(self) -> Facts:
        """What does not change from checkpoint to checkpoint."""
        ...


@dataclass(frozen=True)
class Facts:
    """About a measure: the set it measures on, and what blind guessing and perfect play score."""

    digest: str
    """SHA-256 of the evaluation set."""
    positions: int
    counts: Mapping[str, list[int]]
    """Metric by depth: on how many states."""
    levels: Mapping[str, Mapping[str, float | None]]
    """Metric: {"chance": x, "oracle": y}; None where it is known to nobody."""


@dataclass(frozen=True)
class Parts:
    """What a trial is made of, built from its configuration."""

    config: TrialConfig
    environment: Environment
    model: WorldModel
    planner: Planner
    losses: Mapping[str, Loss]
    targets: Mapping[str, TargetMaker]
    streams: Streams
