"""A differentiable depth-2 tree (TreeQN's shape): the gradient of a loss on the plan comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from workbench.components import LossConfig, PlannerConfig
from workbench.config import TrialConfig
from workbench.contracts import Loss, Planner
from workbench.models.world_model import WorldModel
from workbench.trial import build, run_trial
from workbench.types import EnvironmentSpec, Latent, Plan, Target, Unroll, tree_map


@dataclass(frozen=True)
class FullTree:
    """Q(s, a) = r + discount * max_b Q(s', b), every branch expanded to a depth."""

    depth: int
    differentiable: bool = True

    def q(self, model: WorldModel, latent: Latent, actions: int, depth: int) -> Tensor:
        batch = len(latent)
        every = tree_map(lambda t: t.repeat_interleave(actions, 0), latent)
        then, edge = model.step(every, torch.arange(actions).repeat(batch), torch.Generator())
        value = model.predict(then).value
        if depth > 1:
            value = self.q(model, then, actions, depth - 1).amax(-1)
        return (edge.reward + edge.discount * value).view(batch, actions)

    def plan(
        self, model: WorldModel, root: Latent, legal: Tensor, generator: Generator,
        explore: bool = False,
    ) -> Plan:  # fmt: skip
        q = self.q(model, root, legal.shape[1], self.depth).masked_fill(~legal, -10.0)
        visits = torch.zeros_like(q)
        return Plan(q.softmax(-1), q.amax(-1), q, visits, torch.full((len(q),), self.depth))


class FullTreeConfig(PlannerConfig):
    """The full tree to depth 2."""

    def build(self, environment: EnvironmentSpec) -> Planner:
        return FullTree(2)


class PlannedValue(LossConfig):
    """Squared error of the planned value."""

    targets: ClassVar[frozenset[str]] = frozenset({"value"})

    def build(self, model: WorldModel) -> Loss:
        def loss(unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
            assert plan is not None
            return ((plan.value - targets["value"].value[:, 0]) ** 2)[:, None]

        return loss


@pytest.fixture
def config(enrol: Callable[..., None], configure: Callable[..., TrialConfig]) -> TrialConfig:
    enrol("planner", "full_tree", FullTreeConfig)
    enrol("loss", "planned_value", PlannedValue)
    only = {"policy": None, "value": None, "reward": None, "termination": None, "planned_value": 1}
    return configure(planner={"name": "full_tree"}, losses=only)


def test_gradient_of_the_planned_value_reaches_every_part(
    enrol: Callable[..., None], config: TrialConfig
) -> None:
    parts = build(config)
    start = parts.environment.positions()[:4]  # type: ignore[attr-defined]
    legal = parts.environment.legal(start)
    root = parts.model.represent(parts.environment.observe(start), torch.Generator(), start)
    plan = parts.planner.plan(parts.model, root, legal, torch.Generator())
    F.mse_loss(plan.value, torch.zeros(4)).backward()
    for name, part in parts.model.parts().items():
        reached = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters()]
        assert any(reached), name


def test_trial_is_trained_through_a_differentiable_tree(
    config: TrialConfig, tmp_path: Path
) -> None:
    result = run_trial(config, tmp_path)
    assert result["updates"] > 0
    assert result["metrics"]["training/planned_value"] >= 0
