"""Checks of a planner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator

from workbench.components import PlannerConfig
from workbench.contract_check.check import Check, require
from workbench.contract_check.scenes import CONTROL, GAME, first_compatible
from workbench.contracts import TrialParts
from workbench.trial import build
from workbench.types import Plan

FIELDS = ("policy", "value", "q", "visits", "depth")


def planner_checks(cls: type[PlannerConfig]) -> Iterator[Check]:
    """Yield the checks of a planner with default options."""
    built: list[TrialParts] = []

    def is_compatible() -> None:
        built.append(build(first_compatible({"planner": cls.component}, (GAME, CONTROL))))

    yield Check("a trial can use it", is_compatible, needed=True)
    for explore, when in ((False, "greedy"), (True, "exploring")):
        yield Check(
            f"its policy covers the legal actions only ({when})",
            lambda explore=explore: _policy(built[0], explore),  # type: ignore[misc]
        )
        yield Check(
            f"equal random streams give equal plans ({when})",
            lambda explore=explore: _repeats(built[0], explore),  # type: ignore[misc]
        )


def _plan(parts: TrialParts, explore: bool) -> tuple[Plan, torch.Tensor]:
    environment: Any = parts.environment
    g = Generator().manual_seed(5)
    state = (
        environment.positions()[::41] if environment.spec.enumerable else environment.reset(8, g)
    )
    legal = environment.legal(state)
    root = parts.model.represent(environment.observe(state), Generator(), state)
    plan = parts.planner.plan(parts.model, root, legal, Generator().manual_seed(5), explore)
    return plan, legal


def _policy(parts: TrialParts, explore: bool) -> None:
    plan, legal = _plan(parts, explore)
    batch, actions = legal.shape
    for field in FIELDS:
        tensor = getattr(plan, field)
        shape = (batch, actions) if field in ("policy", "q", "visits") else (batch,)
        found = list(tensor.shape)
        require(found == list(shape), f"`{field}` has shape {found}, not {list(shape)}")
        require(tensor.isfinite().all(), f"`{field}` is not finite")
    require(
        torch.allclose(plan.policy.sum(1), torch.ones(batch), atol=1e-5),
        "`policy` does not add up to 1",
    )
    require((plan.policy >= 0).all(), "`policy` is negative")
    require(not plan.policy[~legal].any(), "`policy` gives probability to illegal actions")
    require(legal[torch.arange(batch), plan.best_action()].all(), "the chosen action is illegal")
    differentiable = parts.planner.differentiable
    require(isinstance(differentiable, bool), "`differentiable` is no bool")
    require(
        plan.policy.requires_grad == differentiable,
        f"`differentiable` is {differentiable}, and the policy "
        f"{'carries' if plan.policy.requires_grad else 'does not carry'} a gradient",
    )


def _repeats(parts: TrialParts, explore: bool) -> None:
    (one, _), (other, _) = _plan(parts, explore), _plan(parts, explore)
    different = [f for f in FIELDS if not torch.equal(getattr(one, f), getattr(other, f))]
    require(not different, f"two plans differ in {', '.join(different)}")
