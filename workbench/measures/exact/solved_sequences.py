"""Sequences from given positions of a solved world."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.models.world_model import stack
from workbench.types import SolvedEnvironment, State, greatest, map_tensors

SEED = 20260101
"""Of the continuations. The same for every trial, whatever its own seed."""

SHARPNESS = 4.0
"""Of the behaviour: the best move is e^4 = 55 times as probable as the worst."""


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
    positions = len(worth[0]) // len(SOURCES)
    source = torch.arange(len(SOURCES)).repeat_interleave(positions)
    states, actions, transitions = [state], [], []
    for _ in range(depth):
        q = worth[-1]
        over = ~q.isfinite().any(-1, keepdim=True)
        chances = policies(q, source).where(~over, torch.ones(()))
        action = torch.multinomial(chances, 1, generator=generator).squeeze(1)
        state, transition = environment.step(state, action, generator)
        states.append(state)
        actions.append(action)
        transitions.append(transition)
        worth.append(environment.q(state))
    q = torch.stack(worth, 1)
    before_end = q.isfinite().any(-1)
    return EvaluationSet(
        observation=torch.stack([environment.observe(state) for state in states], 1),
        legal=torch.stack([environment.legal(state) for state in states], 1),
        action=torch.stack(actions, 1),
        reward=torch.stack([transition.reward for transition in transitions], 1),
        discount=torch.stack([transition.discount for transition in transitions], 1),
        before_end=before_end,
        reached=before_end[:, :-1],
        source=source,
        game=torch.full_like(source, -1),
        roots=torch.arange(positions),
        state=stack(states),
        value=greatest(q),
        optimal=optimal_moves(q),
    )
