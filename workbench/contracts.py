"""Protocols of the objects that components build.

This module does not import torch at run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from workbench.config import TrialConfig
    from workbench.models.value_encoding import ValueEncoding
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
    """Prediction heads of latents and of transitions between them: a torch module."""

    @property
    def value_encodings(self) -> Mapping[str, ValueEncoding]:
        """Encodings of the scalars `value` (and `reward`) as network outputs, by name."""
        ...

    def heads(self, latent: Tensor) -> Heads:
        """Return the predictions at a batch of latents."""
        ...

    def edge(self, latent: Tensor) -> Mapping[str, Tensor]:
        """Return raw outputs for the transition to `latent`: reward [B, atoms], termination [B]."""
        ...


class Planner(Protocol):
    """Improves a model's prior policy at a batch of roots.

    root = model.represent(observation, generator)
    plan = planner.plan(model, root, legal, generator)
    """

    @property
    def differentiable(self) -> bool:
        """Whether losses may use the plan. Then `plan` keeps the gradient."""
        ...

    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: Tensor,
        generator: Generator,
        explore: bool = False,
    ) -> Plan:
        """Plan at a batch of roots whose legal actions are `legal` [B, A].

        With `explore`, the planner adds the exploration noise of self-play.
        """
        ...


@dataclass(frozen=True)
class Context:
    """Inputs of a target maker besides the window."""

    absorbing: bool
    """Whether steps past a termination are absorbing states; if not, they are masked out."""
    model: WorldModel
    """The model being trained."""
    agent: WorldModel
    """The model that acts: with weight averaging, the moving average of the trained one."""
    planner: Planner
    generator: Generator
    target_network: WorldModel | None = None
    """An earlier copy of the trained model, if the procedure keeps one."""

    @property
    def target_model(self) -> WorldModel:
        """Model for bootstrap targets: the target network, or without one the model that acts."""
        return self.agent if self.target_network is None else self.target_network


class TargetMaker(Protocol):
    """Computes one named target from a training segment, at unroll steps 0..K."""

    def __call__(self, window: Window, context: Context) -> Target:
        """Return the target of every step of the window."""
        ...


class Loss(Protocol):
    """One term of the objective.

    A loss with parameters of its own is a torch module. They are optimised with the model's.
    """

    def __call__(self, unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
        """Return the masked loss [B, K+1] of every row and unroll step.

        `plan` is the plan at the window's first state; None if the planner is not differentiable.
        """
        ...


class Procedure(Protocol):
    """Training procedure: owns the data and the schedule.

    Its state dict holds everything needed to resume. A procedure may define these methods:
    `result_fields() -> dict`, whose entries are added to the trial's result; `notes()`, remarks for
    readers of the result; `why_no_update() -> str`, the reason if it ended without an update.
    """

    steps: int
    """Number of environment steps so far, or of examples if there is no environment."""
    updates: int
    """Number of optimiser steps so far."""

    @property
    def fraction(self) -> float:
        """Completed fraction of the training, 0 to 1."""
        ...

    @property
    def agent(self) -> WorldModel:
        """The model that acts and is measured."""
        ...

    def advance(self) -> None:
        """Do one round of work: collect some data, make some updates.

        Raises:
            TrialDiverged: training produced a non-finite number.
        """
        ...

    def diagnostics(self) -> dict[str, float]:
        """Return training statistics since the last call, named `training/...`."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to resume."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        ...


class Measure(Protocol):
    """Evaluates an agent, without changing it or drawing from the training's random streams."""

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Return metric values by name; None if a metric is undefined for this agent."""
        ...

    def info(self) -> MeasureInfo:
        """Return the properties of the measure that are the same for every checkpoint."""
        ...


@dataclass(frozen=True)
class MeasureInfo:
    """Properties of a measure: its evaluation set and the reference levels of its metrics."""

    digest: str
    """SHA-256 of the evaluation set."""
    positions: int
    """Number of positions in the evaluation set."""
    counts: Mapping[str, list[int]]
    """For each metric, the number of evaluated states by depth."""
    levels: Mapping[str, Mapping[str, float | None]]
    """For each metric, its reference levels {"naive": x, "oracle": y}; None if unknown.

    `naive` is the level of a naive baseline, such as random actions or a constant prediction.
    """
    symmetry_classes: int | None = None
    """Number of positions up to symmetry of the board; None if it has no known symmetry."""


@dataclass(frozen=True)
class TrialParts:
    """The objects of a trial, built from its configuration."""

    config: TrialConfig
    environment: Environment
    model: WorldModel
    planner: Planner
    losses: Mapping[str, Loss]
    targets: Mapping[str, TargetMaker]
    streams: Streams
