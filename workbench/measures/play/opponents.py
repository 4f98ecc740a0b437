"""Opponents that stay as they are while the agent learns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import pyspiel
import torch
from torch import Generator, Tensor

from workbench.errors import WorkbenchError
from workbench.measures.exact.solved_sequences import optimal_moves
from workbench.measures.play.episodes import SEED, Player, RandomPlayer, stream
from workbench.randomness import seed_of
from workbench.types import Environment, SolvedEnvironment, State, gather


class SpielEnvironment(Environment, Protocol):
    """A game whose states can be handed to OpenSpiel."""

    def worlds(self, state: State) -> list[pyspiel.State]:
        """The states as OpenSpiel's own."""
        ...


class TreeSearchPlayer:
    """OpenSpiel's UCT with random rollouts and proven results (Kocsis & Szepesvari, 2006; solver
    backups after Winands et al., 2008); uct_c 2, one rollout a simulation, a new tree every move.
    """

    def __init__(self, environment: SpielEnvironment, rollouts: int, name: str) -> None:
        """`name` is that of its random streams."""
        self._environment, self._rollouts, self._name = environment, rollouts, name
        self._state: State = None
        self._bots: list[Any] = []

    def look(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        self._state = state
        if action is None:
            game = self._environment.worlds(gather(state, torch.tensor([0])))[0].get_game()
            self._bots = [self._bot(game, row) for row in range(len(observation))]

    def choose(self, rows: Tensor, legal: Tensor) -> Tensor:
        worlds = self._environment.worlds(gather(self._state, rows))
        bots = [self._bots[row] for row in rows.tolist()]
        return torch.tensor([bot.step(world) for bot, world in zip(bots, worlds, strict=True)])

    def keep(self, rows: Tensor) -> None:
        self._bots = [self._bots[row] for row in rows.tolist()]

    def _bot(self, game: Any, row: int) -> Any:
        """A bot of its own for every game: how one goes does not hang on the others."""
        seed = seed_of(SEED, f"{self._name}/{row}") % 2**31
        return pyspiel.MCTSBot(
            game,
            pyspiel.RandomRolloutEvaluator(n_rollouts=1, seed=seed),
            uct_c=2.0,
            max_simulations=self._rollouts,
            max_memory_mb=1000,
            solve=True,
            seed=seed,
            verbose=False,
        )


class RolloutPlayer:
    """Takes the move after which random play gains the most, tried in the true world (the rollouts
    of Tesauro & Galperin 1997); of several that gain alike, any. For worlds that can be copied.
    """

    def __init__(
        self, environment: Environment, rollouts: int, moves: int, generator: Generator
    ) -> None:
        """Of so many rollouts at a decision every action has its share, each of so many moves."""
        self._environment, self._moves, self._generator = environment, moves, generator
        self._each = max(1, rollouts // environment.spec.actions)
        self._state: State = None

    def look(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        self._state = state

    def choose(self, rows: Tensor, legal: Tensor) -> Tensor:
        games, actions = legal.shape
        action = torch.arange(actions).repeat_interleave(self._each).repeat(games)
        possible = legal[:, :, None].expand(-1, -1, self._each).reshape(-1)
        row, action = rows.repeat_interleave(actions * self._each)[possible], action[possible]
        gained = torch.full((games * actions * self._each,), -torch.inf, dtype=torch.float64)
        gained[possible] = self._gained(gather(self._state, row), action)
        mean = gained.view(games, actions, self._each).mean(-1)
        best = (mean == mean.amax(-1, keepdim=True)).float()
        return torch.multinomial(best, 1, generator=self._generator).squeeze(1)

    def keep(self, rows: Tensor) -> None:
        """It is shown the episodes that go on."""

    def _gained(self, state: State, action: Tensor) -> Tensor:
        """The discounted return of an action and random ones after it. [R] float64"""
        gained = torch.zeros(len(action), dtype=torch.float64)
        weight = torch.ones_like(gained)
        for _ in range(self._moves):
            state, transition = self._environment.step(state, action, self._generator)
            gained += weight * transition.reward
            weight *= transition.discount
            legal = self._environment.legal(state).float()
            over = ~legal.bool().any(-1, keepdim=True)
            action = torch.multinomial(legal + over, 1, generator=self._generator).squeeze(1)
        return gained


class PerfectPlayer:
    """Draws among the moves that are worth the most, and now and then among all."""

    def __init__(
        self, environment: SolvedEnvironment, generator: Generator, errors: float = 0.0
    ) -> None:
        """`errors` is the share of moves that are drawn among all."""
        self._environment, self._generator, self._errors = environment, generator, errors
        self._state: State = None

    def look(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        self._state = state

    def choose(self, rows: Tensor, legal: Tensor) -> Tensor:
        best = optimal_moves(self._environment.q(gather(self._state, rows)))
        slips = torch.rand(len(rows), 1, generator=self._generator) < self._errors
        allowed = legal.where(slips, best)
        return torch.multinomial(allowed.float(), 1, generator=self._generator).squeeze(1)

    def keep(self, rows: Tensor) -> None:
        """It is shown the episodes that go on."""


def opponents(
    environment: Any, mcts_rollouts: Sequence[int], oracle: bool
) -> dict[str, Callable[[], Player]]:
    """Ways to make each, by what it is called in a metric's name: made anew, it plays as before.

    Raises:
        WorkbenchError: OpenSpiel cannot be given the states of the environment.
    """
    found: dict[str, Callable[[], Player]] = {"": lambda: RandomPlayer(stream("opponent"))}
    for rollouts in mcts_rollouts:
        found[f"_mcts_{rollouts}"] = partial(tree_search, environment, rollouts)
        tree_search(environment, rollouts)
    if oracle:
        found["_oracle"] = lambda: PerfectPlayer(environment, stream("oracle"))
    return found


def tree_search(environment: Environment, rollouts: int) -> Player:
    """Raises WorkbenchError where OpenSpiel cannot be given the states of the environment."""
    if not hasattr(environment, "worlds"):
        raise WorkbenchError(
            f"OpenSpiel's tree search cannot play environment '{environment.spec.name}': "
            "it has no `worlds`, its states as OpenSpiel's"
        )
    return TreeSearchPlayer(environment, rollouts, f"mcts/{rollouts}")  # type: ignore[arg-type]
