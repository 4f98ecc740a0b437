"""Options that planners share, and their requirements on model and environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from typing_extensions import override

from workbench.components import PlannerConfig

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Planner


class ModelPlannerConfig(PlannerConfig):
    """A single-agent planner that unrolls the model."""

    use_predicted_termination: bool = Field(
        False, description="whether a predicted termination cuts off later value (the paper: no)"
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        spec = trial.environment.spec()
        if spec.agents != 1:
            yield (
                f"planner '{self.component}' is for one agent; environment "
                f"'{trial.environment.component}' has {spec.agents}"
            )
        if not self.use_predicted_termination:
            return
        if "termination" not in trial.model.spec(spec).heads:
            yield (
                f"use_predicted_termination: model '{trial.model.component}' as configured "
                "has no termination head"
            )
        elif "termination" not in trial.trained_heads():
            yield (
                "use_predicted_termination: no loss trains the termination head; add "
                "`losses.termination: 1.0`"
            )


class MultiStepPlannerConfig(ModelPlannerConfig):
    """A planner that also selects actions at predicted states."""

    interior_legality: bool = Field(
        False, description="whether illegal actions are masked below the root too (the paper: no)"
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().incompatibilities(trial)
        offered = trial.model.spec(trial.environment.spec())
        if self.interior_legality and "legal" not in offered.heads:
            yield (
                f"interior_legality: model '{trial.model.component}' as configured predicts no "
                "legal moves"
            )


class TreeSearchConfig(MultiStepPlannerConfig):
    """A search that adds one node to the tree per simulation."""

    simulations: Annotated[int, Field(gt=0, le=100_000)] = Field(
        50, description="number of simulations per search"
    )
    q_normalisation: Literal["min_max", "bounds", "none"] = Field(
        "min_max", description="scaling of Q"
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().incompatibilities(trial)
        if self.q_normalisation == "bounds" and trial.environment.spec().bounds is None:
            yield (
                f"q_normalisation 'bounds': environment '{trial.environment.component}' states "
                "no bounds"
            )


class FullTreeConfig(ModelPlannerConfig):
    """A planner that expands every action."""

    policy: Literal["regularised", "softmax", "greedy"] = Field(
        "regularised",
        description="regularised: softmax(logits + q / temperature), which maximises E[q] - "
        "temperature KL(policy, prior); softmax: softmax(q / temperature); greedy: all "
        "probability on the maximum q, without exploration",
    )
    temperature: Annotated[float, Field(gt=0)] = Field(
        0.1, description="temperature of the policy, in units of q; unused by 'greedy'"
    )
    differentiable: bool = Field(
        False,
        description="whether plans keep their gradient for losses (TreeQN); every update then "
        "plans too",
    )

    def full_tree(self, depth: int, interior_legality: bool) -> Planner:
        """Build a full tree search of this configuration."""
        from workbench.planning.tree.full_tree import FullTree

        return FullTree(
            depth=depth,
            shape=self.policy,
            temperature=self.temperature,
            interior_legality=interior_legality,
            use_predicted_termination=self.use_predicted_termination,
            differentiable=self.differentiable,
        )
