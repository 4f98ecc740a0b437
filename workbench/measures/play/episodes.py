"""Episodes played in parallel; each player decides for all its episodes at once."""

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
from workbench.randomness import derive_seed
from workbench.types import Environment, State, gather

SEED = 20260103
"""Seed of initial states and of chance; shared by all trials and checkpoints."""


def fixed_generator(name: str) -> Generator:
    """Return a generator with a fixed seed that depends on the name only."""
    return Generator().manual_seed(derive_seed(SEED, name))


class Player(Protocol):
    """Plays a batch of episodes; it observes every step and acts when it is to move."""

    def observe(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        """Observe the current states, and the actions that led there (None at the start)."""
        ...

    def act(self, rows: Tensor, legal: Tensor) -> Tensor:
        """Return actions [R, ...] in the episodes `rows` [R] with legal actions [R, ..., A]."""
        ...

    def select(self, rows: Tensor) -> None:
        """Continue with these episodes only."""
        ...


class AgentPlayer:
    """An agent as player; a model with memory updates its latent at every step."""

    def __init__(self, agent: WorldModel, planner: Planner, choice: Choice) -> None:
        self._agent, self._planner, self._choice = agent, planner, choice
        self._generator = fixed_generator("agent")
        self._root: Any = None

    def observe(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        """Observe the current states and the actions that led there."""
        agent, generator = self._agent, self._generator
        if action is None or not agent.spec.memory:
            self._root = represent(agent, observation, generator, state)
        else:
            taken = action.to(agent.device)
            self._root = agent.observe(self._root, taken, observation, generator, state)

    def act(self, rows: Tensor, legal: Tensor) -> Tensor:
        """Return the actions in the episodes `rows`."""
        root = gather(self._root, rows)
        return self._choice(self._agent, self._planner, root, legal, self._generator)

    def select(self, rows: Tensor) -> None:
        """Continue with these episodes only."""
        self._root = gather(self._root, rows)


class RandomPlayer:
    """A player that draws uniformly among the legal actions."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    def observe(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        """Ignore the observation."""

    def act(self, rows: Tensor, legal: Tensor) -> Tensor:
        """Return the actions in the episodes `rows`."""
        drawn = torch.multinomial(legal.float().flatten(0, -2), 1, generator=self._generator)
        return drawn.view(legal.shape[:-1])

    def select(self, rows: Tensor) -> None:
        """Do nothing: the player has no state."""


@dataclass(frozen=True)
class PlayResult:
    """Results of a batch of episodes."""

    gained: Tensor  # [B] float64 undiscounted return of side 0
    discounted: Tensor  # [B] float64 return with the environment's discounts
    moves: Tensor  # [B] int64 number of actions of all players


@torch.inference_mode()
def play(
    environment: Environment,
    state: State,
    players: Sequence[Player],
    turn: Tensor,
    generator: Generator,
    max_steps: int | None = None,
) -> PlayResult:
    """Play from `state` until all episodes have ended or have `max_steps` actions.

    Args:
        environment: the environment.
        state: initial states [B, ...].
        players: in a zero-sum game two players, or one that plays both sides; else one.
        turn: [B] index of the player to move, 0 or 1.
        generator: generator of the environment's random outcomes.
        max_steps: maximum number of actions.
    """
    row, action = torch.arange(len(turn)), None
    gained, moves = torch.zeros(len(turn), dtype=torch.float64), torch.zeros_like(turn)
    discounted, weight = torch.zeros_like(gained), torch.ones_like(gained)
    while len(row) and (max_steps is None or int(moves.max()) < max_steps):
        observation = environment.observe(state)
        for player in players:
            player.observe(state, observation, action)
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
                player.select(going)
            state, row, turn, action = gather((state, row, turn, action), going)
    return PlayResult(gained, discounted, moves)


def _ask(players: Sequence[Player], turn: Tensor, legal: Tensor) -> Tensor:
    """[B, ...] Return the next action of every episode, from its player to move."""
    action = torch.zeros(legal.shape[:-1], dtype=torch.int64)
    for seat, player in enumerate(players):
        rows = (turn % len(players) == seat).nonzero().flatten()
        if len(rows):
            action[rows] = player.act(rows, legal[rows])
    return action
