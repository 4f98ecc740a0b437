"""Decision rules of a measured agent: greedy and without noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from workbench.contracts import Planner, TrialParts
from workbench.models.world_model import WorldModel
from workbench.types import Latent

Choice = Callable[[WorldModel, Planner, Latent, Tensor, Generator], Tensor]
"""(agent, planner, root, legal [B, ..., A], generator) -> actions [B, ...] on the CPU."""


def prior_action(
    agent: WorldModel, planner: Planner, root: Latent, legal: Tensor, generator: Generator
) -> Tensor:
    """Return the legal action with the largest prior."""
    policy = agent.predict(root).policy.cpu()
    return policy.masked_fill(~legal, -torch.inf).argmax(-1)


def search_action(
    agent: WorldModel, planner: Planner, root: Latent, legal: Tensor, generator: Generator
) -> Tensor:
    """Return the planner's best action."""
    return planner.plan(agent, root, legal, generator).best_action().cpu()


GREEDY: Mapping[str, Choice] = {"prior": prior_action, "search": search_action}


def decision_rules(prior: bool) -> dict[str, Choice]:
    """Return the measured decision rules: the search, and with `prior` the prior alone."""
    return {name: choice for name, choice in GREEDY.items() if prior or name != "prior"}


def planner_with(parts: TrialParts, simulations: int, **changes: Any) -> Planner:
    """Return the trial's planner with another number of simulations (and other changes)."""
    config = parts.config.planner.model_copy(update={"simulations": simulations, **changes})
    return config.build(parts.environment.spec)
