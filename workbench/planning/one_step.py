"""Planner `one_step`: one step of lookahead over all actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from workbench.planning.tree.planner_config import FullTreeConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.contracts import Planner


@register("planner", "one_step")
class OneStep(FullTreeConfig):
    """One-step lookahead: q(s, a) = r + discount * v(g(s, a)) for all actions, in one call."""

    @override
    def build(self, environment: EnvironmentSpec) -> Planner:
        return self.full_tree(1, interior_legality=False)
