"""An agent's decisions, position by position."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from torch import Generator, Tensor

from workbench.contracts import Facts, Parts, Planner
from workbench.measures.exact.solved_positions import JudgedPositions
from workbench.measures.play.decision_rules import planner_with
from workbench.models.world_model import WorldModel
from workbench.types import Latent


class StateByState:
    """No numbers of its own: what is told by position, for whoever looks at single ones."""

    def __init__(self, parts: Parts, judged: JudgedPositions, simulations: int) -> None:
        self._world, self._judged = parts.environment, judged
        self._planner = planner_with(parts, simulations)

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        return {}

    def details(self, agent: WorldModel, planner: Planner) -> Mapping[str, Tensor]:
        """By position:

        observation [P, *observation]; q [P, A] exact, -inf where illegal; prior [P, A]
        probabilities; visits [P, A] shares; move [P] of the search; regret [P] of that move;
        value [P] predicted at the root; score [P, A] of the solver, where it tells how soon a move
        wins or loses.
        """
        prior, visits, move, value = self._judged.each(
            agent, partial(_decided, agent, self._planner)
        )
        told = {} if self._judged.score is None else {"score": self._judged.score}
        return told | {
            "observation": self._world.observe(self._judged.state),
            "q": self._judged.q,
            "prior": prior,
            "visits": visits,
            "move": move,
            "regret": self._judged.regrets(move),
            "value": value,
        }

    def facts(self) -> Facts:
        return Facts(self._judged.digest, len(self._judged), {}, {})


def _decided(
    agent: WorldModel, planner: Planner, root: Latent, legal: Tensor, generator: Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Prior [B, A], shares of visits [B, A], the move [B] and the predicted value [B]."""
    heads = agent.predict(root)
    prior = heads.policy.cpu().masked_fill(~legal, -float("inf")).softmax(-1)
    plan = planner.plan(agent, root, legal, generator)
    visits = plan.visits.cpu().float()
    shares = visits / visits.sum(-1, keepdim=True).clamp(min=1)
    return prior, shares, plan.best().cpu(), heads.value.cpu()
