"""Fixed opponents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import pyspiel
import torch
from torch import Generator, Tensor

from workbench.errors import WorkbenchError
from workbench.measures.exact.solved_sequences import optimal_moves
from workbench.measures.play.episodes import SEED, Player, RandomPlayer, fixed_generator
from workbench.randomness import derive_seed
from workbench.types import Environment, SolvedEnvironment, State, gather


class OpenSpielStates(Environment, Protocol):
    """A game whose states can be exported to OpenSpiel."""

    def openspiel_states(self, state: State) -> list[pyspiel.State]:
        """Return the states as OpenSpiel states."""
        ...


class TreeSearchPlayer:
    """OpenSpiel's UCT with random rollouts and proven results.

    Kocsis & Szepesvari 2006; solver backups after Winands et al. 2008. uct_c is 2, with one rollout
    per simulation and a new tree per move.
    """

    def __init__(self, environment: OpenSpielStates, rollouts: int, name: str) -> None:
        """`name` is the name of its random streams."""
        self._environment, self._rollouts, self._name = environment, rollouts, name
        self._state: State = None
        self._bots: list[Any] = []

    def observe(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        """Observe the current states and the actions that led there."""
        self._state = state
        if action is None:
            game = self._environment.openspiel_states(gather(state, torch.tensor([0])))[
                0
            ].get_game()
            self._bots = [self._bot(game, row) for row in range(len(observation))]

    def act(self, rows: Tensor, legal: Tensor) -> Tensor:
        """Return the actions in the episodes `rows`."""
        states = self._environment.openspiel_states(gather(self._state, rows))
        bots = [self._bots[row] for row in rows.tolist()]
        return torch.tensor([bot.step(state) for bot, state in zip(bots, states, strict=True)])

    def select(self, rows: Tensor) -> None:
        """Continue with these episodes only."""
        self._bots = [self._bots[row] for row in rows.tolist()]

    def _bot(self, game: Any, row: int) -> Any:
        """Return a separate bot per game, so that games do not influence each other."""
        seed = derive_seed(SEED, f"{self._name}/{row}") % 2**31
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
    """Takes the action after which random play gains the most, in the true environment.

    These are the rollouts of Tesauro & Galperin 1997. Ties are broken at random. The environment
    must be cloneable.
    """

    def __init__(
        self, environment: Environment, rollouts: int, moves: int, generator: Generator
    ) -> None:
        """The rollouts of a decision are divided among its actions; each has a maximum length."""
        self._environment, self._moves, self._generator = environment, moves, generator
        self._each = max(1, rollouts // environment.spec.actions)
        self._state: State = None

    def observe(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        """Observe the current states and the actions that led there."""
        self._state = state

    def act(self, rows: Tensor, legal: Tensor) -> Tensor:
        """Return the actions in the episodes `rows`."""
        games, actions = legal.shape
        action = torch.arange(actions).repeat_interleave(self._each).repeat(games)
        possible = legal[:, :, None].expand(-1, -1, self._each).reshape(-1)
        row, action = rows.repeat_interleave(actions * self._each)[possible], action[possible]
        gained = torch.full((games * actions * self._each,), -torch.inf, dtype=torch.float64)
        gained[possible] = self._gained(gather(self._state, row), action)
        mean = gained.view(games, actions, self._each).mean(-1)
        best = (mean == mean.amax(-1, keepdim=True)).float()
        return torch.multinomial(best, 1, generator=self._generator).squeeze(1)

    def select(self, rows: Tensor) -> None:
        """Do nothing: it observes the remaining episodes."""

    def _gained(self, state: State, action: Tensor) -> Tensor:
        """[R] float64 discounted return of an action followed by random ones."""
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
    """Draws among the moves of maximum value, and sometimes among all."""

    def __init__(
        self, environment: SolvedEnvironment, generator: Generator, errors: float = 0.0
    ) -> None:
        """`errors` is the share of moves that are drawn among all."""
        self._environment, self._generator, self._errors = environment, generator, errors
        self._state: State = None

    def observe(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        """Observe the current states and the actions that led there."""
        self._state = state

    def act(self, rows: Tensor, legal: Tensor) -> Tensor:
        """Return the actions in the episodes `rows`."""
        best = optimal_moves(self._environment.q(gather(self._state, rows)))
        slips = torch.rand(len(rows), 1, generator=self._generator) < self._errors
        allowed = legal.where(slips, best)
        return torch.multinomial(allowed.float(), 1, generator=self._generator).squeeze(1)

    def select(self, rows: Tensor) -> None:
        """Do nothing: it observes the remaining episodes."""


def opponents(
    environment: Any, mcts_rollouts: Sequence[int], oracle: bool
) -> dict[str, Callable[[], Player]]:
    """Return factories of the opponents by suffix of the metric's name.

    Raises:
        WorkbenchError: the environment's states cannot be exported to OpenSpiel.
    """
    found: dict[str, Callable[[], Player]] = {"": lambda: RandomPlayer(fixed_generator("opponent"))}
    for rollouts in mcts_rollouts:
        found[f"_mcts_{rollouts}"] = partial(tree_search, environment, rollouts)
        tree_search(environment, rollouts)
    if oracle:
        found["_oracle"] = lambda: PerfectPlayer(environment, fixed_generator("oracle"))
    return found


def tree_search(environment: Environment, rollouts: int) -> Player:
    """Return MCTS. Raises WorkbenchError if states cannot be exported to OpenSpiel."""
    if not hasattr(environment, "openspiel_states"):
        raise WorkbenchError(
            f"OpenSpiel's tree search cannot play environment '{environment.spec.name}': "
            "it has no `openspiel_states`, its states as OpenSpiel's"
        )
    return TreeSearchPlayer(environment, rollouts, f"mcts/{rollouts}")  # type: ignore[arg-type]
