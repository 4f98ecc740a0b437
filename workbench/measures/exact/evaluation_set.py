"""Sequences of real moves with the truth along them, the same for every trial."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.measures.frozen.digest import digest
from workbench.models.world_model import stack
from workbench.types import SolvedEnvironment, State, greatest, leaves, map_tensors

SEED = 20260101
"""Of the continuations. The same for every trial, whatever its own seed."""


SOURCES = ("behaviour", "uniform", "oracle")
"""Where the moves of a continuation come from, see `policies`."""

SHARPNESS = 4.0
"""Of the behaviour: the best move is e^4 = 55 times as probable as the worst."""


@dataclass(frozen=True)
class EvaluationSet:
    """Positions, each with a continuation of real moves from every source.

    Rows are sequences, those of one source after those of another (S = 3P); depth k = 0..K.
    """

    state: State  # [S, K+1, ...] where the world truly stands; it stays at a terminal state
    action: Tensor  # [S, K]
    reward: Tensor  # [S, K] of the move that leads to depth k+1
    before_end: Tensor  # [S, K+1] bool, the state is not terminal
    reached: Tensor  # [S, K] bool, the move was made from a state that is not terminal
    value: Tensor  # [S, K+1] exact, to the mover; 0 at the end
    optimal: Tensor  # [S, K+1, A] bool, the moves that are worth the most

    @property
    def source(self) -> Tensor:
        """[S] which of SOURCES the moves of a row come from."""
        return torch.arange(len(SOURCES)).repeat_interleave(len(self.action) // len(SOURCES))

    def at(self, k: int) -> State:
        """[S, ...] where the world stands at depth k."""
        return map_tensors(lambda states: states[:, k], self.state)

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        return digest(*leaves(self))


def optimal_moves(q: Tensor) -> Tensor:
    """[B, A] bool: the moves whose worth is the greatest; none at a terminal state."""
    return (q == q.max(-1, keepdim=True).values) & q.isfinite()


def policies(q: Tensor, source: Tensor) -> Tensor:
    """[B, A] what each row's source draws its move from, at states with moves of worth `q`.

    `behaviour` stands for a player who is still learning: softmax of SHARPNESS q, scaled to the
    range of the legal moves' worth. `uniform` takes any legal move, `oracle` any optimal one.
    """
    legal = q.isfinite()
    best = q.max(-1, keepdim=True).values
    worst = q.masked_fill(~legal, torch.inf).min(-1, keepdim=True).values
    behind = ((best - q) / (best - worst).clamp(min=1e-9)).masked_fill(~legal, torch.inf)
    learning = (-SHARPNESS * behind).exp().where(legal, torch.zeros(()))
    choices = torch.stack([learning, legal.float(), optimal_moves(q).float()])
    found: Tensor = choices[source, torch.arange(len(q))]
    return found


def evaluation_set(environment: SolvedEnvironment, start: State, depth: int) -> EvaluationSet:
    """Follow each source from every position for `depth` moves, or to the end."""
    generator = torch.Generator()
    generator.manual_seed(SEED)
    state = map_tensors(lambda part: torch.cat([part] * len(SOURCES)), start)
    worth = [environment.q(state)]
    source = torch.arange(len(SOURCES)).repeat_interleave(len(worth[0]) // len(SOURCES))
    states, actions, rewards = [state], [], []
    for _ in range(depth):
        q = worth[-1]
        over = ~q.isfinite().any(-1, keepdim=True)
        chances = policies(q, source).where(~over, torch.ones(()))
        action = torch.multinomial(chances, 1, generator=generator).squeeze(1)
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
        value=greatest(q),
        optimal=optimal_moves(q),
    )
