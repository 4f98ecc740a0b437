"""Evaluation positions of a game with too many positions to list; the same for all trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import count, cycle
from typing import Any

import torch
from torch import Generator, Tensor

from workbench.components import EnvironmentConfig
from workbench.config import dump
from workbench.measures.evaluation_sets.digest import digest
from workbench.measures.evaluation_sets.store import cached
from workbench.measures.play.episodes import Player, RandomPlayer, play
from workbench.measures.play.opponents import PerfectPlayer, TreeSearchPlayer
from workbench.randomness import derive_seed
from workbench.types import (
    ScoredEnvironment,
    SolvedEnvironment,
    State,
    gather,
    tree_leaves,
    tree_map,
)

VERSION = 2
"""Incremented when the same settings yield other positions."""
SEED = 20260104
GAMES = 8
"""Number of games played in parallel, until there are enough positions."""
APART = 5
"""Number of moves between two positions of one game."""
ROLLOUTS = 30
"""Rollouts of the tree search that stands in for a partly trained agent."""
ERRORS = 0.1
"""Share of random moves in nearly perfect play."""


@dataclass(frozen=True)
class EvaluationPositions:
    """Non-terminal positions with unique observations."""

    state: State  # [P, ...]
    q: Tensor  # [P, A] exact value of every move, -inf if illegal
    score: Tensor  # [P, A] solver score: how soon each move wins or loses; else [0]

    @property
    def digest(self) -> str:
        """SHA-256 of states, values and scores."""
        return digest(*tree_leaves(self))


def cached_positions(
    config: EnvironmentConfig, environment: SolvedEnvironment, many: int
) -> EvaluationPositions:
    """Return the evaluation positions, solved once per machine."""
    empty = torch.empty(0)
    like = EvaluationPositions(environment.reset(1, Generator()), empty, empty)
    return cached(
        "positions", cache_key(config, many), like, lambda: evaluation_positions(environment, many)
    )


def cache_key(config: EnvironmentConfig, many: int) -> list[Any]:
    """Return everything that determines the positions and their values."""
    settings = [VERSION, SEED, GAMES, APART, ROLLOUTS, ERRORS]
    return [settings, dump(config), many, version("open-spiel"), version("torch")]


def evaluation_positions(environment: SolvedEnvironment, many: int) -> EvaluationPositions:
    """Alternate positions of random play, of a small tree search and of nearly perfect play.

    The first positions do not depend on the number of positions.
    """
    kinds = cycle([_visited(environment, kind) for kind in (_random, _searching, _perfect)])
    found: dict[bytes, State] = {}
    while len(found) < many:
        source = next(kinds)
        key, state = next((key, state) for key, state in source if key not in found)
        found[key] = state
    state = tree_map(lambda *rows: torch.cat(rows), *found.values())
    if not isinstance(environment, ScoredEnvironment):
        return EvaluationPositions(state, environment.q(state), torch.empty(0))
    score = environment.scores(state)
    return EvaluationPositions(state, environment.q_from_scores(state, score), score)


def _random(environment: SolvedEnvironment, name: str, generator: Generator) -> Player:
    return RandomPlayer(generator)


def _searching(environment: SolvedEnvironment, name: str, generator: Generator) -> Player:
    return TreeSearchPlayer(environment, ROLLOUTS, name)  # type: ignore[arg-type]


def _perfect(environment: SolvedEnvironment, name: str, generator: Generator) -> Player:
    return PerfectPlayer(environment, generator, ERRORS)


def _visited(
    environment: SolvedEnvironment,
    kind: Callable[[SolvedEnvironment, str, Generator], Player],
) -> Iterator[tuple[bytes, State]]:
    """Yield positions [1, ...] of game after game, and their observations."""
    for batch in count():
        name = f"positions{kind.__name__}/{batch}"
        generator = Generator().manual_seed(derive_seed(SEED, name))
        witness = _RecordingPlayer(kind(environment, name, generator))
        begun = environment.reset(GAMES, generator)
        turn = torch.zeros(GAMES, dtype=torch.int64)
        play(environment, begun, [witness], turn, generator)
        state = tree_map(lambda *seen: torch.cat(seen), *witness.seen)
        for row in torch.randperm(len(environment.legal(state)), generator=generator).tolist():
            here = gather(state, torch.tensor([row]))
            yield environment.observe(here).numpy().tobytes(), here


class _RecordingPlayer:
    """Plays as another player and records every n-th position that it observes."""

    def __init__(self, inner: Player) -> None:
        self._inner = inner
        self._game, self._ply = torch.empty(0), 0
        self.seen: list[State] = []

    def observe(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        if action is None:
            self._game, self._ply = torch.arange(len(observation)), 0
        taken = (self._game + self._ply) % APART == 0
        self.seen.append(gather(state, taken.nonzero().flatten()))
        self._ply += 1
        self._inner.observe(state, observation, action)

    def act(self, rows: Tensor, legal: Tensor) -> Tensor:
        return self._inner.act(rows, legal)

    def select(self, rows: Tensor) -> None:
        self._game = self._game[rows]
        self._inner.select(rows)
