"""Positions of which every move's worth is known, and how well an agent chooses there."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from workbench.contracts import Planner
from workbench.measures.exact.evaluation_set import optimal_moves
from workbench.measures.play.choices import GREEDY, Choice
from workbench.measures.prediction.tally import mean
from workbench.models.world_model import WorldModel
from workbench.types import Environment, State, gather

CHUNK = 1024
"""Positions searched at once: bounds the memory of the search."""


class JudgedPositions:
    """Optimal-move rate and regret over positions, by the exact worth of their moves."""

    def __init__(self, environment: Environment, state: State, q: Tensor) -> None:
        """`q` [P, A] is every move's worth to the mover, -inf where it is illegal."""
        self._environment, self._state, self._q = environment, state, q
        self.legal = q.isfinite()
        self.optimal = optimal_moves(q)
        # Positions where some legal move is worse than another.
        self._decisive = (self.legal & ~self.optimal).any(-1)

    def decide(self, agent: WorldModel, planner: Planner) -> dict[str, Tensor]:
        """The moves of the prior alone, and of the search without noise. [P] each"""
        return {name: self.moves(agent, planner, choice) for name, choice in GREEDY.items()}

    @torch.inference_mode()
    def moves(self, agent: WorldModel, planner: Planner, choice: Choice) -> Tensor:
        """The agent's move in every position. [P]"""
        generator, chunks = Generator(), []
        for first in range(0, len(self._q), CHUNK):
            rows = torch.arange(first, min(first + CHUNK, len(self._q)))
            state = gather(self._state, rows)
            root = agent.represent(self._environment.observe(state), generator, state)
            chunks.append(choice(agent, planner, root, self.legal[rows], generator))
        return torch.cat(chunks)

    def qualities(self, decided: Mapping[str, Tensor]) -> dict[str, float | None]:
        """How good the moves [P] of each way to decide are."""
        row: dict[str, float | None] = {}
        for name, action in decided.items():
            row |= self.expected(name, one_hot(action, self._q.shape[1]).float())
        return row

    def expected(self, name: str, policy: Tensor) -> dict[str, float | None]:
        """Optimal-move rate and regret of a policy [P, A], over all and over decisive positions.

        None where there are no decisive ones.
        """
        rate = (policy * self.optimal).sum(-1).double()
        best = self._q.max(-1).values
        lost = (best[:, None] - self._q).masked_fill(~self.legal, 0.0)
        regret = (policy * lost).sum(-1).double()
        return {
            f"decision/{name}_optimal_rate": float(rate.mean()),
            f"decision/{name}_optimal_rate_decisive": mean(rate, self._decisive),
            f"decision/{name}_regret": float(regret.mean()),
            f"decision/{name}_regret_decisive": mean(regret, self._decisive),
        }

    @property
    def uniform(self) -> Tensor:
        """[P, A] the policy of uniformly random moves."""
        return self.legal.float() / self.legal.sum(-1, keepdim=True)

    def levels(self) -> dict[str, Mapping[str, float]]:
        """Uniformly random moves beside perfect ones."""
        return {
            metric: {"chance": chance, "oracle": 1.0 if "rate" in metric else 0.0}
            for name in GREEDY
            for metric, chance in self.expected(name, self.uniform).items()
            if chance is not None
        }
