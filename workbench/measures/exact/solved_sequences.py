"""Sequences from given positions of a solved environment."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.models.world_model import stack
from workbench.types import SolvedEnvironment, State, max_value, tree_map

SEED = 20260101
"""Seed of the continuations; shared by all trials."""

SHARPNESS = 4.0
"""Sharpness of the `behaviour` policy: the best move is e^4 = 55 times as probable as the worst."""


def optimal_moves(q: Tensor) -> Tensor:
    """[B, A] bool: moves with the maximum value; none at a terminal state."""
    return (q == q.max(-1, keepdim=True).values) & q.isfinite()


def policies(q: Tensor, source: Tensor) -> Tensor:
    """[B, A] Policy of each row's source, at states with action values `q`.

    `behaviour` stands in for a partly trained agent: softmax of SHARPNESS q, scaled to the range of
    the legal moves' values. `uniform` takes any legal move, `oracle` any optimal one.
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
    state = tree_map(lambda part: torch.cat([part] * len(SOURCES)), start)
    action_values = [environment.q(state)]
    positions = len(action_values[0]) // len(SOURCES)
    source = torch.arange(len(SOURCES)).repeat_interleave(positions)
    states, actions, transitions = [state], [], []
    for _ in range(depth):
        q = action_values[-1]
        over = ~q.isfinite().any(-1, keepdim=True)
        chances = policies(q, source).where(~over, torch.ones(()))
        action = torch.multinomial(chances, 1, generator=generator).squeeze(1)
        state, transition = environment.step(state, action, generator)
        states.append(state)
        actions.append(action)
        transitions.append(transition)
        action_values.append(environment.q(state))
    q = torch.stack(action_values, 1)
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
        value=max_value(q),
        optimal=optimal_moves(q),
    )
