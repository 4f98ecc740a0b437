"""Episodes side by side in lock-step, each player asked for all of its moves at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Generator, Tensor

from workbench.contracts import Planner
from workbench.measures.play.decision_rules import Choice
from workbench.models.world_model import WorldModel
from workbench.planning.tree.compiled_encoder import represent
from workbench.randomness import seed_of
from workbench.types import Environment, State, gather

SEED = 20260103
"""Of beginnings and of chance. The same for every trial and every checkpoint."""


def stream(name: str) -> Generator:
    """A generator that begins alike whenever it is asked for."""
    return Generator().manual_seed(seed_of(SEED, name))


class Player(Protocol):
    """Plays in a batch of episodes; it is shown every step, and asked where it has the move."""

    def look(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        """Where the episodes stand, and the actions that led there (None at their beginning)."""
        ...

    def choose(self, rows: Tensor, legal: Tensor) -> Tensor:
        """Actions [R, ...] in the episodes `rows` [R], whose legal actions are [R, ..., A]."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Only these episodes go on."""
        ...


class AgentPlayer:
    """An agent; a model with memory carries its latent on through the moves of all players."""

    def __init__(self, agent: WorldModel, planner: Planner, choice: Choice) -> None:
        self._agent, self._planner, self._choice = agent, planner, choice
        self._generator = stream("agent")
        self._root: Any = None

    def look(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        agent, generator = self._agent, self._generator
        if action is None or not agent.spec.memory:
            self._root = represent(agent, observation, generator, state)
        else:
            taken = action.to(agent.device)
            self._root = agent.observe(self._root, taken, observation, generator, state)

    def choose(self, rows: Tensor, legal: Tensor) -> Tensor:
        root = gather(self._root, rows)
        return self._choice(self._agent, self._planner, root, legal, self._generator)

    def keep(self, rows: Tensor) -> None:
        self._root = gather(self._root, rows)


class RandomPlayer:
    """Draws among the legal moves, each as probable as the others."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    def look(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        """It sees nothing."""

    def choose(self, rows: Tensor, legal: Tensor) -> Tensor:
        drawn = torch.multinomial(legal.float().flatten(0, -2), 1, generator=self._generator)
        return drawn.view(legal.shape[:-1])

    def keep(self, rows: Tensor) -> None:
        """It remembers nothing."""


@dataclass(frozen=True)
class Played:
    """How a batch of episodes went."""

    gained: Tensor  # [B] float64, the undiscounted return to side 0
    discounted: Tensor  # [B] float64, the same by the world's discounts
    moves: Tensor  # [B] int64, of all players


@torch.inference_mode()
def play(
    environment: Environment,
    state: State,
    players: Sequence[Player],
    turn: Tensor,
    generator: Generator,
    max_steps: int | None = None,
) -> Played:
    """Play from `state` until every episode has ended, been cut, or has `max_steps` moves.

    Args:
        players: of a game in which what one wins the other loses, the two, or one who moves for
            both; else one.
        turn: whose move it is in each episode, 0 or 1. [B]
        generator: what the environment draws chance from.
    """
    row, action = torch.arange(len(turn)), None
    gained, moves = torch.zeros(len(turn), dtype=torch.float64), torch.zeros_like(turn)
    discounted, weight = torch.zeros_like(gained), torch.ones_like(gained)
    while len(row) and (max_steps is None or int(moves.max()) < max_steps):
        observation = environment.observe(state)
        for player in players:
            player.look(state, observation, action)
        action = _ask(players, turn, environment.legal(state))
        state, transition = environment.step(state, action, generator)
        reward = torch.where(turn == 0, transition.reward, -transition.reward)
        gained[row] += reward
        discounted[row] += weight[row] * reward
        weight[row] *= transition.discount.abs()
        moves[row] += 1
        turn = torch.where(transition.discount < 0, 1 - turn, turn)
        going = (~(transition.terminated | transition.truncated)).nonzero().flatten()
        if len(going) < len(row):
            for player in players:
                player.keep(going)
            state, row, turn, action = gather((state, row, turn, action), going)
    return Played(gained, discounted, moves)


def _ask(players: Sequence[Player], turn: Tensor, legal: Tensor) -> Tensor:
    """Every episode's next action, from the player whose turn it is. [B, ...]"""
    action = torch.zeros(legal.shape[:-1], dtype=torch.int64)
    for seat, player in enumerate(players):
        rows = (turn % len(players) == seat).nonzero().flatten()
        if len(rows):
            action[rows] = player.choose(rows, legal[rows])
    return action
