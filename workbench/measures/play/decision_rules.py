"""How an agent decides when it is measured: greedily and without noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from workbench.contracts import Parts, Planner
from workbench.models.world_model import WorldModel
from workbench.types import Latent

Choice = Callable[[WorldModel, Planner, Latent, Tensor, Generator], Tensor]
"""(agent, planner, root, legal [B, ..., A], generator) -> actions [B, ...] on the CPU."""


def by_prior(
    agent: WorldModel, planner: Planner, root: Latent, legal: Tensor, generator: Generator
) -> Tensor:
    """The legal move that the bare prior finds most probable."""
    policy = agent.predict(root).policy.cpu()
    return policy.masked_fill(~legal, -torch.inf).argmax(-1)


def by_search(
    agent: WorldModel, planner: Planner, root: Latent, legal: Tensor, generator: Generator
) -> Tensor:
    """The planner's best move."""
    return planner.plan(agent, root, legal, generator).best().cpu()


GREEDY: Mapping[str, Choice] = {"prior": by_prior, "search": by_search}


def greedy(prior: bool) -> dict[str, Choice]:
    """The ways to decide that are measured: by search, and with `prior` by the bare prior too."""
    return {name: choice for name, choice in GREEDY.items() if prior or name != "prior"}


def planner_with(parts: Parts, simulations: int, **changes: Any) -> Planner:
    """The trial's planner with so many simulations (and other changes)."""
    config = parts.config.planner.model_copy(update={"simulations": simulations, **changes})
    return config.build(parts.environment.spec)
