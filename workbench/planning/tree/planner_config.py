"""Options that planners share, and what these need of the model and the environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from workbench.components import PlannerConfig, Positive

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Planner


class ImaginingConfig(PlannerConfig):
    """A planner of one agent that follows moves in the model."""

    use_predicted_termination: bool = Field(
        False, description="whether a predicted end cuts off the value beyond it (the paper: no)"
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        world = trial.environment.spec()
        if world.agents != 1:
            yield (
                f"planner '{self.component}' is for one agent; environment "
                f"'{trial.environment.component}' has {world.agents}"
            )
        if not self.use_predicted_termination:
            return
        if "termination" not in trial.model.spec(world).heads:
            yield (
                f"use_predicted_termination: model '{trial.model.component}' as configured "
                "predicts no end"
            )
        elif "termination" not in trial.taught():
            yield (
                "use_predicted_termination: no loss teaches the model where episodes end; add "
                "`losses.termination: 1.0`"
            )


class DeepConfig(ImaginingConfig):
    """A planner that chooses among moves at imagined states too."""

    interior_legality: bool = Field(
        False, description="whether illegal moves are masked below the root too (the paper: no)"
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().misfits(trial)
        offered = trial.model.spec(trial.environment.spec())
        if self.interior_legality and "legal" not in offered.heads:
            yield (
                f"interior_legality: model '{trial.model.component}' as configured predicts no "
                "legal moves"
            )


class TreeSearchConfig(DeepConfig):
    """A search that grows a tree by a node a simulation."""

    simulations: Positive = Field(50, description="simulations of one search")
    q_normalisation: Literal["min_max", "bounds", "none"] = Field(
        "min_max", description="how Q is scaled"
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().misfits(trial)
        if self.q_normalisation == "bounds" and trial.environment.spec().bounds is None:
            yield (
                f"q_normalisation 'bounds': environment '{trial.environment.component}' states "
                "no bounds"
            )


class FullTreeConfig(ImaginingConfig):
    """A planner that tries every move."""

    policy: Literal["regularised", "softmax", "greedy"] = Field(
        "regularised",
        description="softmax(logits + q / temperature), the greatest E[q] - temperature KL(policy, "
        "prior); softmax(q / temperature); or all on the greatest q, which explores nothing",
    )
    temperature: Annotated[float, Field(gt=0)] = Field(
        0.1, description="of the policy, in units of q; 'greedy' has none"
    )
    differentiable: bool = Field(
        False,
        description="whether plans keep their gradient for losses to read (TreeQN); every update "
        "then plans too",
    )

    def full_tree(self, depth: int, interior_legality: bool) -> Planner:
        from workbench.planning.tree.full_tree import FullTree

        return FullTree(
            depth=depth,
            shape=self.policy,
            temperature=self.temperature,
            interior_legality=interior_legality,
            use_predicted_termination=self.use_predicted_termination,
            differentiable=self.differentiable,
        )
