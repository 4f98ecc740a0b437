"""Planner `puct`: MuZero's search over a tree of latents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from typing_extensions import override

from workbench.components import Fraction
from workbench.planning.tree.planner_config import TreeSearchConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.contracts import Planner


@register("planner", "puct")
class PUCT(TreeSearchConfig):
    """Batched tree search by PUCT over any model (MuZero, appendix B)."""

    c1: float = Field(1.25, description="c1, exploration constant")
    c2: Annotated[float, Field(gt=0)] = Field(
        19652.0, description="c2, growth constant of the exploration"
    )
    q_normalisation: Literal["min_max", "bounds", "none"] = Field(
        "min_max",
        description="scaling of Q: by the minimum and maximum of the tree (the paper), by the "
        "environment's known bounds, or none (AlphaZero)",
    )
    unvisited_q: Literal["zero", "parent"] = Field(
        "zero",
        description="Q of an unvisited action: 0 after scaling (the paper), or the parent's value",
    )
    dirichlet_alpha: Annotated[float, Field(gt=0)] = Field(
        0.3, description="concentration of the Dirichlet noise at the root in training"
    )
    noise_fraction: Fraction = Field(
        0.25, description="share of noise in the root prior in training"
    )

    @override
    def build(self, environment: EnvironmentSpec) -> Planner:
        import numpy as np

        from workbench.planning.tree.puct_strategy import Noise, PUCTStrategy, exploration
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
            PUCTStrategy(rules, Noise(self.dirichlet_alpha, self.noise_fraction)),
            self.simulations,
            self.interior_legality,
            self.use_predicted_termination,
        )
