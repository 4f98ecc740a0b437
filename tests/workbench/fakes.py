"""Shared test doubles: models that look up their outputs in tables, and tiny trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import Generator, Tensor, nn

from workbench import documents
from workbench.config import TrialConfig, read_trial
from workbench.contract_check.scenes import GAME, read
from workbench.errors import ConfigError
from workbench.models.world_model import WorldModel
from workbench.types import Edge, Heads, LatentSpec, ModelSpec, Plan

TINY: dict[str, Any] = GAME
"""Overrides of the preset `muzero` with which a complete trial takes about a second."""


def trial(changes: Mapping[str, Any] = {}, base: Mapping[str, Any] = TINY) -> TrialConfig:
    """Return a trial's configuration from `base`, overridden by `changes`; keys may be dotted."""
    return read(changes, base)


def problems_of(text: str) -> list[str]:
    """Return the problems found when the text of a trial's file is read, one line each."""
    try:
        read_trial(documents.parse(text, "t.yaml"))
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


class TableModel(WorldModel):
    """A model of S numbered states: latents are state numbers, and all outputs come from tables.

    The tables are in double precision, so that an independent search in plain Python floats gets
    exactly the same numbers.
    """

    def __init__(
        self,
        successor: Tensor,
        reward: Tensor,
        discount: Tensor,
        logits: Tensor,
        value: Tensor,
        termination: Tensor | None = None,
        legal: Tensor | None = None,
    ) -> None:
        super().__init__()
        heads = {"policy", "value", "reward"}
        heads |= {"termination"} if termination is not None else set()
        heads |= {"legal"} if legal is not None else set()
        actions = successor.shape[1]
        self.spec = ModelSpec(LatentSpec("vector", ()), actions, frozenset(heads))
        self.successor = successor  # [S, A]
        self.reward = reward  # [S, A]
        self.discount = discount  # [S, A]
        self.logits = logits  # [S, A]
        self.value = value  # [S]
        self.termination = termination  # [S, A]
        self.legal = legal  # [S, A]
        self.step_calls: list[tuple[Tensor, Tensor]] = []

    def represent(self, observation: Tensor, generator: Generator, state: Any = None) -> Tensor:
        return observation

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        self.step_calls.append((latent, action))
        end = None if self.termination is None else self.termination[latent, action]
        edge = Edge(self.reward[latent, action], self.discount[latent, action], end)
        return self.successor[latent, action], edge

    def predict(self, latent: Tensor) -> Heads:
        legal = None if self.legal is None else self.legal[latent]
        return Heads(self.logits[latent], self.value[latent], legal)


def random_table(
    states: int, actions: int, seed: int, terminal_fraction: float = 0.1, legality: bool = False
) -> TableModel:
    """Return a model with random successors, rewards in [-1, 1] and discounts in ±[0.5, 1] or 0.

    Args:
        states: number of states.
        actions: number of actions.
        seed: seed of the tables.
        terminal_fraction: expected fraction of transitions with discount 0.
        legality: whether the model has a head of legal actions.
    """
    g = Generator().manual_seed(seed)
    shape = (states, actions)

    def uniform(*size: int) -> Tensor:
        return torch.rand(*size, generator=g, dtype=torch.float64)

    sign = torch.where(uniform(*shape) < 0.5, -1.0, 1.0).double()
    discount = sign * (0.5 + 0.5 * uniform(*shape))
    legal = uniform(*shape) < 0.6
    legal[torch.arange(states), torch.randint(actions, (states,), generator=g)] = True
    return TableModel(
        successor=torch.randint(states, shape, generator=g),
        reward=2 * uniform(*shape) - 1,
        discount=discount.where(uniform(*shape) >= terminal_fraction, torch.zeros(())),
        logits=torch.randn(*shape, generator=g, dtype=torch.float64),
        value=2 * uniform(states) - 1,
        termination=uniform(*shape),
        legal=legal if legality else None,
    )


class RecordingPlanner:
    """Wraps a planner, and records its plans and the `explore` flag of each call."""

    differentiable = False

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.explored: list[bool] = []
        self.plans: list[Plan] = []

    def plan(
        self,
        model: WorldModel,
        root: Any,
        legal: Tensor,
        generator: Generator,
        explore: bool = False,
    ) -> Plan:
        self.explored.append(explore)
        plan: Plan = self.inner.plan(model, root, legal, generator, explore)
        self.plans.append(plan)
        return plan


def with_decoder(model: WorldModel, observation: tuple[int, ...]) -> WorldModel:
    """Add a linear decoder to a model whose latents are single tensors, and return the model."""
    size = prod(model.spec.latent.shape)
    decoder = nn.Sequential(nn.Linear(size, prod(observation)), nn.Unflatten(1, observation))
    changed: Any = model
    changed.decoder = decoder
    changed.decode = lambda latent: decoder(latent.flatten(1))
    changed.spec = replace(model.spec, heads=model.spec.heads | {"observation"})
    return model
