"""No search at all: the model's prior decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.components import PlannerConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.contracts import Planner


@register("planner", "policy")
class Policy(PlannerConfig):
    """No search: the prior over the legal moves, of one agent or of each of several."""

    def build(self, environment: EnvironmentSpec) -> Planner:
        from workbench.planning.tree.prior_planner import PriorPlanner

        return PriorPlanner()
