"""The full tree to a depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from workbench.components import Positive
from workbench.planning.tree.planner_config import DeepConfig, FullTreeConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Planner


@register("planner", "depth_d")
class DepthD(FullTreeConfig, DeepConfig):
    """Every line of play to a depth, the best move followed back (TreeQN's tree with a maximum)."""

    depth: Positive = Field(2, description="d, moves looked ahead: A^d leaves a root")
    most_leaves: Positive = Field(1000, description="leaves of one root beyond which it is refused")

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().misfits(trial)
        world = trial.environment.spec()
        here = f"planner 'depth_d' at depth {self.depth}"
        leaves = world.actions**self.depth
        if leaves > self.most_leaves:
            yield (
                f"{here}: environment '{world.name}' has {world.actions} moves, which is "
                f"{leaves:,} leaves a root; take a smaller `depth`, or raise `most_leaves`"
            )
        if self.depth > 1 and trial.model.spec(world).chance:
            yield (
                f"{here} follows moves only, and model '{trial.model.component}' as configured "
                "has chance nodes; take `depth: 1` or a tree search"
            )

    def build(self, environment: EnvironmentSpec) -> Planner:
        return self.full_tree(self.depth, self.interior_legality)
