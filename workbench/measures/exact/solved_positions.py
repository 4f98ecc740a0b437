"""Positions with exact action values, and an agent's decision quality on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from workbench.contracts import Planner, TrialParts
from workbench.measures.evaluation_sets.digest import digest
from workbench.measures.evaluation_sets.positions import cached_positions
from workbench.measures.exact.solved_sequences import optimal_moves
from workbench.measures.exact.symmetry_classes import symmetry_classes
from workbench.measures.play.decision_rules import GREEDY, Choice
from workbench.measures.prediction.metric_accumulator import mean
from workbench.metrics import METRICS
from workbench.models.world_model import WorldModel
from workbench.types import Environment, Latent, State, gather, tree_map

T = TypeVar("T")

CHUNK = 1024
"""Number of positions searched at once; it bounds the memory of the search."""


class SolvedPositions:
    """Optimal-move rate, regret and blunders over positions with exact action values."""

    def __init__(
        self,
        environment: Environment,
        state: State,
        q: Tensor,
        digest: str = "",
        score: Tensor | None = None,
    ) -> None:
        """Store positions and their exact action values.

        Args:
            environment: the game.
            state: P positions.
            q: [P, A] value of every move for the player to move, -inf if illegal.
            digest: hash of the positions, which identifies the evaluation set.
            score: [P, A] solver's score, larger for faster wins and slower losses, if it has one.
        """
        self._environment, self._state, self._q = environment, state, q
        self.digest = digest
        self.score = score if score is not None and len(score) else None
        self.legal = q.isfinite()
        self.optimal = optimal_moves(q)
        # Decisive positions: some legal move is worse than another.
        self._decisive = (self.legal & ~self.optimal).any(-1)

    def __len__(self) -> int:
        return len(self._q)

    @cached_property
    def symmetry_classes(self) -> Tensor | None:
        """[P] Index of the first position that is equal up to symmetry; None if none is known."""
        symmetries = self._environment.spec.symmetries
        if not symmetries or len(self._environment.spec.observation) != 3:
            return None
        return symmetry_classes(self._environment.observe(self._state).cpu(), symmetries)

    @property
    def n_classes(self) -> int | None:
        """Number of positions up to symmetry; None if the board has no known symmetry."""
        classes = self.symmetry_classes
        return None if classes is None else len(set(classes.tolist()))

    def decide(self, agent: WorldModel, planner: Planner) -> dict[str, Tensor]:
        """[P] each: moves of the prior alone, and of the search without noise."""
        return {name: self.chosen_moves(agent, planner, choice) for name, choice in GREEDY.items()}

    def chosen_moves(self, agent: WorldModel, planner: Planner, choice: Choice) -> Tensor:
        """[P] Return the agent's move in every position."""
        found: Tensor = self.evaluate(agent, partial(choice, agent, planner))
        return found

    @torch.inference_mode()
    def evaluate(self, agent: WorldModel, ask: Callable[[Latent, Tensor, Generator], T]) -> T:
        """Evaluate `ask(root, legal, generator)` in all positions: tensors [P, ...]."""
        generator, chunks = Generator(), []
        for first in range(0, len(self._q), CHUNK):
            rows = torch.arange(first, min(first + CHUNK, len(self._q)))
            state = gather(self._state, rows)
            root = agent.represent(self._environment.observe(state), generator, state)
            chunks.append(ask(root, self.legal[rows], generator))
        return tree_map(lambda *parts: torch.cat(parts), *chunks)

    def qualities(self, decided: Mapping[str, Tensor]) -> dict[str, float | None]:
        """Return the decision quality of the moves [P] of each decision rule."""
        row: dict[str, float | None] = {}
        for name, action in decided.items():
            row |= self.expected(name, one_hot(action, self._q.shape[1]).float())
        return row

    def expected(self, name: str, policy: Tensor) -> dict[str, float | None]:
        """Return optimal-move rate and regret of a policy [P, A], over all and decisive positions.

        Values are None if no position is decisive.
        """
        rate = (policy * self.optimal).sum(-1).double()
        regret = (policy * self.action_regret).sum(-1).double()
        return {
            f"decision/{name}_optimal_rate": float(rate.mean()),
            f"decision/{name}_optimal_rate_decisive": mean(rate, self._decisive),
            f"decision/{name}_regret": float(regret.mean()),
            f"decision/{name}_regret_decisive": mean(regret, self._decisive),
            **self._blunders(name, policy),
        }

    def _blunders(self, name: str, policy: Tensor) -> dict[str, float | None]:
        """Blunders exist in two-player games only."""
        if not self._environment.spec.alternating:
            return {}
        losing = (self._q < 0) & self.legal
        rate = (policy * losing).sum(-1).double()
        return {f"decision/{name}_blunder_rate": mean(rate, self._q.max(-1).values >= 0)}

    @property
    def action_regret(self) -> Tensor:
        """[P, A] Regret of every move, Q*(s, a*) - Q*(s, a); 0 if illegal."""
        best = self._q.max(-1, keepdim=True).values
        return (best - self._q).masked_fill(~self.legal, 0.0)

    def regrets(self, moves: Tensor) -> Tensor:
        """[P] Regret of the chosen moves."""
        return self.action_regret.gather(1, moves[:, None]).squeeze(1)

    @property
    def gap(self) -> Tensor:
        """[P] Gap in value between the best move and the best worse move."""
        best = self._q.max(-1).values
        rest = self._q.masked_fill(self.optimal, -torch.inf).max(-1).values
        return (best - rest).where(self._decisive, torch.zeros(()))

    @property
    def state(self) -> State:
        """States of the positions."""
        return self._state

    @property
    def q(self) -> Tensor:
        """[P, A] exact action values."""
        return self._q

    @property
    def uniform(self) -> Tensor:
        """[P, A] Uniformly random policy."""
        return self.legal.float() / self.legal.sum(-1, keepdim=True)

    def levels(self) -> dict[str, Mapping[str, float]]:
        """Return the levels of uniformly random moves (naive) and of perfect moves (oracle)."""
        return {
            metric: {"naive": chance, "oracle": METRICS[metric].oracle or 0.0}
            for name in GREEDY
            for metric, chance in self.expected(name, self.uniform).items()
            if chance is not None
        }


def solved_positions_of(parts: TrialParts, many: int) -> SolvedPositions:
    """Return all positions of the trial's environment, or the evaluation positions."""
    environment: Any = parts.environment
    if environment.spec.enumerable:
        positions = environment.positions()
        q = environment.q(positions)
        return SolvedPositions(environment, positions, q, digest(positions, q))
    frozen = cached_positions(parts.config.environment, environment, many)
    return SolvedPositions(environment, frozen.state, frozen.q, frozen.digest, frozen.score)
