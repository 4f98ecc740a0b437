"""Planner `policy`: no search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from workbench.components import PlannerConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.contracts import Planner


@register("planner", "policy")
class Policy(PlannerConfig):
    """No search: the policy prior over the legal actions, for one agent or several."""

    @override
    def build(self, environment: EnvironmentSpec) -> Planner:
        from workbench.planning.tree.prior_planner import PriorPlanner

        return PriorPlanner()
