"""Decisions of an agent, position by position."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from torch import Generator, Tensor

from workbench.contracts import MeasureInfo, Planner, TrialParts
from workbench.measures.exact.solved_positions import SolvedPositions
from workbench.measures.play.decision_rules import planner_with
from workbench.models.world_model import WorldModel
from workbench.types import Latent


class PerPositionRecord:
    """Measure without metrics: it stores one record per position."""

    def __init__(self, parts: TrialParts, judged: SolvedPositions, simulations: int) -> None:
        self._world, self._judged = parts.environment, judged
        self._planner = planner_with(parts, simulations)

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Measure the agent and return the metrics."""
        return {}

    def details(self, agent: WorldModel, planner: Planner) -> Mapping[str, Tensor]:
        """Return one row per position.

        observation [P, *observation]; q [P, A] exact values, -inf if illegal; prior [P, A]
        probabilities; visits [P, A] shares; move [P] of the search; regret [P] of that move; value
        [P] predicted at the root; score [P, A] of the solver, if it states how soon a move wins or
        loses; symmetry_class [P] index of the first position that is equal up to symmetry.
        """
        prior, visits, move, value = self._judged.evaluate(
            agent, partial(_decisions, agent, self._planner)
        )
        optional = {"score": self._judged.score, "symmetry_class": self._judged.symmetry_classes}
        return {name: values for name, values in optional.items() if values is not None} | {
            "observation": self._world.observe(self._judged.state),
            "q": self._judged.q,
            "prior": prior,
            "visits": visits,
            "move": move,
            "regret": self._judged.regrets(move),
            "value": value,
        }

    def info(self) -> MeasureInfo:
        """Return the evaluation set's digest and the reference levels."""
        judged = self._judged
        return MeasureInfo(judged.digest, len(judged), {}, {}, judged.n_classes)


def _decisions(
    agent: WorldModel, planner: Planner, root: Latent, legal: Tensor, generator: Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return prior [B, A], visit shares [B, A], move [B] and predicted value [B]."""
    heads = agent.predict(root)
    prior = heads.policy.cpu().masked_fill(~legal, -float("inf")).softmax(-1)
    plan = planner.plan(agent, root, legal, generator)
    visits = plan.visits.cpu().float()
    shares = visits / visits.sum(-1, keepdim=True).clamp(min=1)
    return prior, shares, plan.best_action().cpu(), heads.value.cpu()
