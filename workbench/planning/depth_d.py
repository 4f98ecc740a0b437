"""Planner `depth_d`: exhaustive search to a fixed depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field
from typing_extensions import override

from workbench.components import Count, Positive
from workbench.planning.tree.planner_config import FullTreeConfig, MultiStepPlannerConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Planner


@register("planner", "depth_d")
class DepthD(FullTreeConfig, MultiStepPlannerConfig):
    """Full tree search to a fixed depth with a maximum backup (as in TreeQN)."""

    depth: Count = Field(2, description="d, search depth in actions: A^d leaves per root")
    max_leaves: Positive = Field(
        1000, description="maximum number of leaves per root; larger trees are rejected"
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().incompatibilities(trial)
        spec = trial.environment.spec()
        here = f"planner 'depth_d' at depth {self.depth}"
        leaves = spec.actions**self.depth
        if leaves > self.max_leaves:
            yield (
                f"{here}: environment '{spec.name}' has {spec.actions} actions, so that "
                f"every root has {leaves:,} leaves; choose a smaller `depth`, or raise `max_leaves`"
            )
        if self.depth > 1 and trial.model.spec(spec).chance:
            yield (
                f"{here} follows actions only, but model '{trial.model.component}' as configured "
                "has chance nodes; choose `depth: 1` or a tree search"
            )

    @override
    def build(self, environment: EnvironmentSpec) -> Planner:
        return self.full_tree(self.depth, self.interior_legality)
