"""Planner without a tree."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from workbench.models.world_model import WorldModel
from workbench.planning.tree.plan_check import check_plan
from workbench.types import Latent, Plan


@dataclass(frozen=True)
class PriorPlanner:
    """The prior is the policy; q equals the value for every action, because none is tried."""

    differentiable: bool = True

    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: Tensor,
        generator: Generator,
        explore: bool = False,
    ) -> Plan:
        """Return the prior over `legal` actions [B, A] as the plan."""
        heads = model.predict(root)
        policy = heads.policy.masked_fill(~legal.to(heads.policy.device), -torch.inf).softmax(-1)
        value = heads.value
        spread = value.reshape(*value.shape, *[1] * (policy.dim() - value.dim()))
        nothing = torch.zeros_like(policy, dtype=torch.int64)
        return check_plan(
            Plan(
                policy,
                value,
                spread.expand_as(policy),
                nothing,
                torch.zeros_like(value, dtype=torch.int32),
            )
        )
