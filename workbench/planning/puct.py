"""MuZero's search: PUCT over a tree of latents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from workbench.components import Fraction
from workbench.planning.tree.planner_config import TreeSearchConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.contracts import Planner


@register("planner", "puct")
class PUCT(TreeSearchConfig):
    """Tree search by PUCT over any model, batched (MuZero, appendix B)."""

    c1: float = Field(1.25, description="exploration constant")
    c2: Annotated[float, Field(gt=0)] = Field(19652.0, description="exploration growth constant")
    q_normalisation: Literal["min_max", "bounds", "none"] = Field(
        "min_max",
        description="Q scaled by the least and greatest of the tree (the paper), by the "
        "environment's known bounds, or not at all (AlphaZero)",
    )
    unvisited_q: Literal["zero", "parent"] = Field(
        "zero", description="Q of an unvisited move: 0 after scaling (the paper), or its parent's"
    )
    dirichlet_alpha: Annotated[float, Field(gt=0)] = Field(
        0.3, description="concentration of the root noise while training"
    )
    noise_fraction: Fraction = Field(0.25, description="share of the root noise while training")

    def build(self, environment: EnvironmentSpec) -> Planner:
        import numpy as np

        from workbench.planning.tree.puct_strategy import ByPUCT, Noise, exploration
        from workbench.planning.tree.search import TreeSearch
        from workbench.planning.tree.trees import PUCTRules

        low, high = environment.bounds or (0.0, 1.0)
        rules = PUCTRules(
            exploration=exploration(self.simulations, self.c1, self.c2),
            normalise=("none", "min_max", "bounds").index(self.q_normalisation),
            unvisited=("zero", "parent").index(self.unvisited_q),
            low=low,
            high=high,
            fraction=0.0,
            noise=np.empty((0, 0)),
        )
        return TreeSearch(
            ByPUCT(rules, Noise(self.dirichlet_alpha, self.noise_fraction)),
            self.simulations,
            self.interior_legality,
            self.use_predicted_termination,
        )
