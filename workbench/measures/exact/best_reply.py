"""Best reply to an agent, by backward induction over all positions of a game."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from workbench.contracts import MeasureInfo, Planner
from workbench.measures.exact.solved_positions import SolvedPositions
from workbench.measures.play.decision_rules import GREEDY
from workbench.models.world_model import WorldModel


class BestReply:
    """Exploitability of prior and search: half of NashConv (Lanctot et al. 2017), from the start.

    It is half the sum of what a best-responding opponent gains over perfect play: once moving
    second against an agent that moves first, and once moving first.
    """

    def __init__(self, environment: Any, judged: SolvedPositions) -> None:
        self._environment, self._judged = environment, judged
        generator = Generator()
        row, action = judged.legal.nonzero(as_tuple=True)
        then, made = environment.step(judged.state[row], action, generator)
        self._row, self._action = row, action
        self._reward, self._discount = made.reward.double(), made.discount.double()
        # A move that ends the game has discount 0, so its successor index is irrelevant.
        self._next = torch.searchsorted(judged.state, then).clamp(max=len(judged) - 1)
        start = environment.reset(1, generator)
        self._start = int(torch.searchsorted(judged.state, start))

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Measure the agent and return the metrics."""
        actions = self._judged.q.shape[1]
        return {
            f"decision/{name}_exploitability": self.exploitability(one_hot(moves, actions).double())
            for name, moves in self._judged.decide(agent, planner).items()
        }

    def info(self) -> MeasureInfo:
        """Return the evaluation set's digest and the reference levels."""
        level = {"naive": self.exploitability(self._judged.uniform.double()), "oracle": 0.0}
        levels = {f"decision/{name}_exploitability": level for name in GREEDY}
        return MeasureInfo(self._judged.digest, len(self._judged), {}, levels)

    def exploitability(self, policy: Tensor) -> float:
        """Return the exploitability of a policy [P, A]."""
        agents, replies = self._worth(policy)
        return float((replies[self._start] - agents[self._start]) / 2)

    def _worth(self, policy: Tensor) -> tuple[Tensor, Tensor]:
        """[P] each: value of a position if the agent moves, and if the opponent moves.

        It sweeps until nothing changes, which takes as many sweeps as the game has moves.
        """
        agents = replies = torch.zeros(len(self._judged), dtype=torch.float64)
        for _ in range(self._environment.spec.horizon + 1):
            chosen = self._after(replies)
            agents_now = (policy * chosen.masked_fill(~self._judged.legal, 0.0)).sum(-1)
            replies_now = self._after(agents).max(-1).values
            if torch.equal(agents, agents_now) and torch.equal(replies, replies_now):
                break
            agents, replies = agents_now, replies_now
        return agents, replies

    def _after(self, value: Tensor) -> Tensor:
        """[P, A] Value of every move, given the values of its successors; -inf if illegal."""
        q = torch.full(self._judged.q.shape, -torch.inf, dtype=torch.float64)
        q[self._row, self._action] = self._reward + self._discount * value[self._next]
        return q
