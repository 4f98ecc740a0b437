"""MuZero's search: PUCT over a tree of latents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from workbench.components import Fraction, PlannerConfig, Positive
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Planner


@register("planner", "puct")
class PUCT(PlannerConfig):
    """Tree search by PUCT over any model, batched (MuZero, appendix B)."""

    simulations: Positive = Field(50, description="simulations of one search")
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
    use_predicted_termination: bool = Field(
        False, description="whether a predicted end cuts off the value beyond it (the paper: no)"
    )
    interior_legality: bool = Field(
        False, description="whether illegal moves are masked below the root too (the paper: no)"
    )
    dirichlet_alpha: Annotated[float, Field(gt=0)] = Field(
        0.3, description="concentration of the root noise while training"
    )
    noise_fraction: Fraction = Field(0.25, description="share of the root noise while training")

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        world = trial.environment.spec()
        model, environment = trial.model.component, trial.environment.component
        if world.agents != 1:
            yield f"planner 'puct' is for one agent; environment '{environment}' has {world.agents}"
        if self.q_normalisation == "bounds" and world.bounds is None:
            yield f"q_normalisation 'bounds': environment '{environment}' states no bounds"
        offered = trial.model.spec(world)
        if self.interior_legality and "legal" not in offered.heads:
            yield f"interior_legality: model '{model}' as configured predicts no legal moves"
        if self.use_predicted_termination and "termination" not in offered.heads:
            yield f"use_predicted_termination: model '{model}' as configured predicts no end"

    def build(self, environment: EnvironmentSpec) -> Planner:
        from workbench.planning.tree.kernels import Rules, exploration
        from workbench.planning.tree.planners import PUCTPlanner
        from workbench.planning.tree.search import Noise, TreeSearch

        low, high = environment.bounds or (0.0, 1.0)
        rules = Rules(
            exploration=exploration(self.simulations, self.c1, self.c2),
            normalise=("none", "min_max", "bounds").index(self.q_normalisation),
            unvisited=("zero", "parent").index(self.unvisited_q),
            low=low,
            high=high,
        )
        search = TreeSearch(
            self.simulations, rules, self.interior_legality, self.use_predicted_termination
        )
        return PUCTPlanner(search, Noise(self.dirichlet_alpha, self.noise_fraction))
