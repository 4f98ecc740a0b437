"""One move ahead in the model, every move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.planning.tree.planner_config import FullTreeConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.contracts import Planner


@register("planner", "one_step")
class OneStep(FullTreeConfig):
    """Looks one move ahead: q(s, a) = r + discount * v(g(s, a)) for every move, in one call."""

    def build(self, environment: EnvironmentSpec) -> Planner:
        return self.full_tree(1, interior_legality=False)
