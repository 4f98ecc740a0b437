"""Sequences of real moves with the truth along them, the same for every trial."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.measures.frozen.digest import digest
from workbench.models.world_model import stack
from workbench.types import SolvedEnvironment, State, leaves, map_tensors

SEED = 20260101
"""Of the continuations. The same for every trial, whatever its own seed."""


@dataclass(frozen=True)
class EvaluationSet:
    """Positions with two continuations of real moves: one uniformly random, one optimal.

    Rows are sequences (S = 2P); depth k = 0..K.
    """

    state: State  # [S, K+1, ...] where the world truly stands; it stays at a terminal state
    action: Tensor  # [S, K]
    reward: Tensor  # [S, K] of the move that leads to depth k+1
    before_end: Tensor  # [S, K+1] bool, the state is not terminal
    reached: Tensor  # [S, K] bool, the move was made from a state that is not terminal
    value: Tensor  # [S, K+1] exact, to the mover; 0 at the end
    optimal: Tensor  # [S, K+1, A] bool, the moves that are worth the most

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        return digest(*leaves(self))


def optimal_moves(q: Tensor) -> Tensor:
    """[B, A] bool: the moves whose worth is the greatest; none at a terminal state."""
    return (q == q.max(-1, keepdim=True).values) & q.isfinite()


def evaluation_set(environment: SolvedEnvironment, start: State, depth: int) -> EvaluationSet:
    """Follow both continuations from every position for `depth` moves, or to the end."""
    generator = torch.Generator()
    generator.manual_seed(SEED)
    state = map_tensors(lambda half: torch.cat([half, half]), start)
    worth = [environment.q(state)]
    random = torch.arange(len(worth[0])) < len(worth[0]) // 2
    states, actions, rewards = [state], [], []
    for _ in range(depth):
        q = worth[-1]
        over = ~q.isfinite().any(-1, keepdim=True)
        allowed = torch.where(random[:, None], q.isfinite(), optimal_moves(q)) | over
        action = torch.multinomial(allowed.float(), 1, generator=generator).squeeze(1)
        state, transition = environment.step(state, action, generator)
        states.append(state)
        actions.append(action)
        rewards.append(transition.reward)
        worth.append(environment.q(state))
    q = torch.stack(worth, 1)
    before_end = q.isfinite().any(-1)
    return EvaluationSet(
        state=stack(states),
        action=torch.stack(actions, 1),
        reward=torch.stack(rewards, 1),
        before_end=before_end,
        reached=before_end[:, :-1],
        value=q.max(-1).values.where(before_end, torch.zeros(())),
        optimal=optimal_moves(q),
    )
