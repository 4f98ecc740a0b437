"""Small trials in which components are checked: a two-player game, a control problem, a board."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from torch import Generator

from workbench import documents
from workbench.components import TargetConfig
from workbench.config import TrialConfig, read_trial
from workbench.contract_check.check import ContractViolation
from workbench.contracts import Context, TrialParts
from workbench.errors import ConfigError, SourceLocation
from workbench.registry import components
from workbench.training.actor import Actor
from workbench.training.replay_buffer import ReplayBuffer
from workbench.training.settings import RandomStartConfig, TemperatureConfig
from workbench.trial import build
from workbench.types import Target, Window

BATCH, UNROLL = 12, 3

GAME: dict[str, Any] = {
    "preset": "muzero",
    "planner.simulations": 4,
    "model.representation.width": 8,
    "model.representation.latent_size": 8,
    "model.dynamics.width": 8,
    "model.prediction.width": 8,
    "procedure.steps": 600,
    "procedure.parallel_environments": 16,
    "procedure.batch_size": 16,
    "procedure.warm_up": 100,
    "procedure.capacity": 300,
    "procedure.replay_ratio": 0.7,
    "procedure.unroll": 3,
    "measures": {"predictive": {"depth": 2}},
    "evaluate_every": 10,
}
"""Tic-tac-toe with small networks."""

CONTROL: dict[str, Any] = {
    "preset": "muzero",
    "environment": {"name": "cartpole", "max_steps": 12},
    "model": {
        "name": "value_prefix",
        "representation": {"name": "mlp", "width": 8, "latent_size": 8},
        "dynamics": {"name": "mlp", "width": 8},
        "prediction": {"name": "mlp", "width": 8},
        "decoder": {"name": "mlp", "width": 8},
    },
    "planner": {"name": "puct", "simulations": 4, "q_normalisation": "min_max"},
    "losses.reward": None,
    "procedure.random_start.fraction": 0.0,
    "measures": {"predictive": None, "decision": None},
}
"""A single-agent environment, and the model that supports no two-player game."""

BOARD: dict[str, Any] = {"preset": "muzero_hex", "planner.simulations": 2, "measures.matches": None}
"""A board game with a model whose parameters do not depend on the board size."""


def read(changes: Mapping[str, Any], base: Mapping[str, Any]) -> TrialConfig:
    """Return a trial's configuration from `base`, overridden by `changes`; keys may be dotted."""
    document = documents.expand(documents.wrap(dict(base), SourceLocation("check")))
    over = documents.expand(documents.wrap(dict(changes), SourceLocation("check")))
    return read_trial(documents.merge(document, over))


def first_compatible(
    changes: Mapping[str, Any], bases: tuple[Mapping[str, Any], ...]
) -> TrialConfig:
    """Return the first of several trials that `changes` are compatible with.

    Raises:
        ContractViolation: there is none; the message has the reasons.
    """
    reasons: dict[str, None] = {}
    for base in bases:
        try:
            return read(changes, base)
        except ConfigError as error:
            reasons |= dict.fromkeys(map(str, error.problems))
    raise ContractViolation(f"no trial of the check is compatible with it: {'; '.join(reasons)}")


@dataclass(frozen=True)
class Scene:
    """A trial with all heads and all targets, and windows of its self-play.

    The windows are long enough for every target, and some extend past the end of the episode.
    """

    parts: TrialParts
    window: Window

    def context(self, absorbing: bool = True) -> Context:
        """Return the inputs of a target maker besides the window."""
        parts, generator = self.parts, Generator().manual_seed(1)
        return Context(absorbing, parts.model, parts.model, parts.planner, generator)

    def targets(self) -> dict[str, Target]:
        """Return all targets of the window, by key."""
        context = self.context()
        return {key: make(self.window, context) for key, make in self.parts.targets.items()}


@cache
def game_scene() -> Scene:
    """Return the scene of the two-player game."""
    return _scene(GAME)


@cache
def control_scene() -> Scene:
    """Return the scene of the single-agent environment."""
    return _scene(CONTROL)


def scenes() -> Iterator[Scene]:
    """Yield both scenes: every loss, target and planner supports one of them."""
    yield game_scene()
    yield control_scene()


def _scene(base: Mapping[str, Any]) -> Scene:
    makers = [cls for cls in components("target").values() if issubclass(cls, TargetConfig)]
    roles = {cls.role: cls.component for cls in makers if cls.role and _built_in(cls)}
    parts = build(read({"targets": roles, "model.decoder": "mlp"}, base))
    actor = Actor(parts, 32, RandomStartConfig(), TemperatureConfig())
    replay = ReplayBuffer(2000, actor.layout)
    for _ in range(20):
        _, episodes = actor.step(parts.model)
        if episodes is not None:
            replay.add(episodes)
    lookahead = max(cls().lookahead for cls in makers)
    return Scene(parts, replay.sample(BATCH, UNROLL, lookahead, Generator().manual_seed(1)))


def _built_in(cls: type[TargetConfig]) -> bool:
    """Whether the target is one of the workbench, so that a faulty plug-in spoils no scene."""
    return cls.__module__.startswith("workbench.")
