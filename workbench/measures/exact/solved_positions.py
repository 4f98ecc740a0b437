"""Positions of which every move's worth is known, and how well an agent chooses there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from workbench.contracts import Parts, Planner
from workbench.measures.evaluation_sets.digest import digest
from workbench.measures.evaluation_sets.positions import kept_positions
from workbench.measures.exact.solved_sequences import optimal_moves
from workbench.measures.play.decision_rules import GREEDY, Choice
from workbench.measures.prediction.metric_accumulator import mean
from workbench.metrics import METRICS
from workbench.models.world_model import WorldModel
from workbench.types import Environment, Latent, State, gather, map_tensors

T = TypeVar("T")

CHUNK = 1024
"""Positions searched at once: bounds the memory of the search."""


class JudgedPositions:
    """Optimal-move rate, regret and blunders over positions, by the exact worth of their moves."""

    def __init__(
        self,
        environment: Environment,
        state: State,
        q: Tensor,
        digest: str = "",
        score: Tensor | None = None,
    ) -> None:
        """`q` [P, A] is every move's worth to the mover, -inf where it is illegal.

        `score` [P, A] tells how soon a move wins or loses, where a solver says so.
        """
        self._environment, self._state, self._q = environment, state, q
        self.digest = digest
        self.score = score if score is not None and len(score) else None
        self.legal = q.isfinite()
        self.optimal = optimal_moves(q)
        # Positions where some legal move is worse than another.
        self._decisive = (self.legal & ~self.optimal).any(-1)

    def __len__(self) -> int:
        return len(self._q)

    def decide(self, agent: WorldModel, planner: Planner) -> dict[str, Tensor]:
        """The moves of the prior alone, and of the search without noise. [P] each"""
        return {name: self.moves(agent, planner, choice) for name, choice in GREEDY.items()}

    def moves(self, agent: WorldModel, planner: Planner, choice: Choice) -> Tensor:
        """The agent's move in every position. [P]"""
        found: Tensor = self.each(agent, partial(choice, agent, planner))
        return found

    @torch.inference_mode()
    def each(self, agent: WorldModel, ask: Callable[[Latent, Tensor, Generator], T]) -> T:
        """What `ask(root, legal, generator)` gives for every position: tensors of [P, ...]."""
        generator, chunks = Generator(), []
        for first in range(0, len(self._q), CHUNK):
            rows = torch.arange(first, min(first + CHUNK, len(self._q)))
            state = gather(self._state, rows)
            root = agent.represent(self._environment.observe(state), generator, state)
            chunks.append(ask(root, self.legal[rows], generator))
        return map_tensors(lambda *parts: torch.cat(parts), *chunks)

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
        regret = (policy * self.lost).sum(-1).double()
        return {
            f"decision/{name}_optimal_rate": float(rate.mean()),
            f"decision/{name}_optimal_rate_decisive": mean(rate, self._decisive),
            f"decision/{name}_regret": float(regret.mean()),
            f"decision/{name}_regret_decisive": mean(regret, self._decisive),
            **self._blunders(name, policy),
        }

    def _blunders(self, name: str, policy: Tensor) -> dict[str, float | None]:
        """Only a game of two can be lost."""
        if not self._environment.spec.alternating:
            return {}
        losing = (self._q < 0) & self.legal
        rate = (policy * losing).sum(-1).double()
        return {f"decision/{name}_blunder_rate": mean(rate, self._q.max(-1).values >= 0)}

    @property
    def lost(self) -> Tensor:
        """[P, A] Q*(s, a*) - Q*(s, a), which is the regret of a move; 0 where it is illegal."""
        best = self._q.max(-1, keepdim=True).values
        return (best - self._q).masked_fill(~self.legal, 0.0)

    def regrets(self, moves: Tensor) -> Tensor:
        """[P] what each position's move gives away."""
        return self.lost.gather(1, moves[:, None]).squeeze(1)

    @property
    def gap(self) -> Tensor:
        """[P] by how much the best move is worth more than the best of those that are not."""
        best = self._q.max(-1).values
        rest = self._q.masked_fill(self.optimal, -torch.inf).max(-1).values
        return (best - rest).where(self._decisive, torch.zeros(()))

    @property
    def state(self) -> State:
        return self._state

    @property
    def q(self) -> Tensor:
        return self._q

    @property
    def uniform(self) -> Tensor:
        """[P, A] the policy of uniformly random moves."""
        return self.legal.float() / self.legal.sum(-1, keepdim=True)

    def levels(self) -> dict[str, Mapping[str, float]]:
        """Uniformly random moves beside perfect ones."""
        return {
            metric: {"chance": chance, "oracle": METRICS[metric].oracle or 0.0}
            for name in GREEDY
            for metric, chance in self.expected(name, self.uniform).items()
            if chance is not None
        }


def judged_positions(parts: Parts, many: int) -> JudgedPositions:
    """Every position of the trial's world where they can be listed, else so many frozen ones."""
    world: Any = parts.environment
    if world.spec.enumerable:
        positions = world.positions()
        q = world.q(positions)
        return JudgedPositions(world, positions, q, digest(positions, q))
    frozen = kept_positions(parts.config.environment, world, many)
    return JudgedPositions(world, frozen.state, frozen.q, frozen.digest, frozen.score)
