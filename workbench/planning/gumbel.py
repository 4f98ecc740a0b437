"""Planner `gumbel`: sequential halving at the root, the improved policy below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from typing_extensions import override

from workbench.components import NonNegative, Positive
from workbench.planning.tree.planner_config import TreeSearchConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.contracts import Planner


@register("planner", "gumbel")
class Gumbel(TreeSearchConfig):
    """Tree search with a policy improvement guarantee (Danihelka et al. 2022), batched.

    In training, the search selects the action itself with its Gumbel noise, and the temperature
    does not apply. Evaluation searches without noise.
    """

    max_considered: Positive = Field(
        16,
        description="m, maximum number of actions considered at the root; the best by noise plus "
        "prior",
    )
    c_visit: NonNegative = Field(
        50.0, description="minimum visits in the weight of Q: sigma = (c_visit + max N) c_scale Q"
    )
    c_scale: Annotated[float, Field(gt=0)] = Field(
        0.1, description="weight of scaled Q against logits (mctx: 0.1; minizero: 1 for unscaled Q)"
    )
    q_normalisation: Literal["min_max", "bounds", "none"] = Field(
        "min_max",
        description="scaling of Q: by the minimum and maximum of each node's own actions, with "
        "completed Q for unvisited ones (mctx); by the environment's known bounds; or "
        "none",
    )
    policy: Literal["completed_q", "visits"] = Field(
        "completed_q",
        description="policy of the plan: softmax of logits + sigma(completed Q) over all legal "
        "actions (the paper), or the share of visits",
    )

    @override
    def build(self, environment: EnvironmentSpec) -> Planner:
        import numpy as np

        from workbench.planning.tree.gumbel_strategy import GumbelStrategy
        from workbench.planning.tree.search import TreeSearch
        from workbench.planning.tree.sequential_halving import considered_table
        from workbench.planning.tree.trees import FAR, GumbelRules

        low, high = environment.bounds or (0.0, 1.0)
        greatest_sigma = (self.c_visit + self.simulations) * self.c_scale
        rules = GumbelRules(
            noise=np.empty((0, 0)),
            considered=considered_table(
                min(self.max_considered, environment.actions), self.simulations
            ),
            c_visit=self.c_visit,
            c_scale=self.c_scale,
            span={"min_max": 0.0, "bounds": high - low, "none": 1.0}[self.q_normalisation],
            apart=self.q_normalisation != "min_max" or greatest_sigma > FAR,
            improved=self.policy == "completed_q",
        )
        return TreeSearch(
            GumbelStrategy(rules),
            self.simulations,
            self.interior_legality,
            self.use_predicted_termination,
        )
