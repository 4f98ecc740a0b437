"""Positions of a game that has too many to list them: the same ones for every trial."""

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
from workbench.measures.evaluation_sets.store import kept
from workbench.measures.play.episodes import Player, RandomPlayer, play
from workbench.measures.play.opponents import PerfectPlayer, TreeSearchPlayer
from workbench.randomness import seed_of
from workbench.types import (
    ScoredEnvironment,
    SolvedEnvironment,
    State,
    gather,
    leaves,
    map_tensors,
)

VERSION = 2
"""Raised when the same settings come to mean other positions."""
SEED = 20260104
GAMES = 8
"""Played side by side, until there are positions enough."""
APART = 5
"""Moves between two positions of one game."""
ROLLOUTS = 30
"""Of the tree search that stands for a player who is still learning."""
ERRORS = 0.1
"""Share of random moves in nearly perfect play."""


@dataclass(frozen=True)
class FrozenPositions:
    """Non-terminal positions, no two of which look the same to the mover."""

    state: State  # [P, ...]
    q: Tensor  # [P, A] exact worth of every move, -inf where it is illegal
    score: Tensor  # [P, A] how soon each move wins or loses, by a solver that says so; else [0]

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        return digest(*leaves(self))


def kept_positions(
    config: EnvironmentConfig, environment: SolvedEnvironment, many: int
) -> FrozenPositions:
    """The frozen positions, solved once on a machine."""
    empty = torch.empty(0)
    like = FrozenPositions(environment.reset(1, Generator()), empty, empty)
    return kept(
        "positions", origin(config, many), like, lambda: frozen_positions(environment, many)
    )


def origin(config: EnvironmentConfig, many: int) -> list[Any]:
    """Everything that determines the positions and their worth."""
    settings = [VERSION, SEED, GAMES, APART, ROLLOUTS, ERRORS]
    return [settings, dump(config), many, version("open-spiel"), version("torch")]


def frozen_positions(environment: SolvedEnvironment, many: int) -> FrozenPositions:
    """By turns one of random play, one of a small tree search, one of nearly perfect play.

    The first positions are the same however many are asked for.
    """
    kinds = cycle([_visited(environment, kind) for kind in (_random, _searching, _perfect)])
    found: dict[bytes, State] = {}
    while len(found) < many:
        source = next(kinds)
        key, state = next((key, state) for key, state in source if key not in found)
        found[key] = state
    state = map_tensors(lambda *rows: torch.cat(rows), *found.values())
    if not isinstance(environment, ScoredEnvironment):
        return FrozenPositions(state, environment.q(state), torch.empty(0))
    score = environment.scores(state)
    return FrozenPositions(state, environment.worth(state, score), score)


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
    """Positions of game after game, [1, ...] each, and what the mover sees there."""
    for batch in count():
        name = f"positions{kind.__name__}/{batch}"
        generator = Generator().manual_seed(seed_of(SEED, name))
        witness = _Witness(kind(environment, name, generator))
        begun = environment.reset(GAMES, generator)
        turn = torch.zeros(GAMES, dtype=torch.int64)
        play(environment, begun, [witness], turn, generator)
        state = map_tensors(lambda *seen: torch.cat(seen), *witness.seen)
        for row in torch.randperm(len(environment.legal(state)), generator=generator).tolist():
            here = gather(state, torch.tensor([row]))
            yield environment.observe(here).numpy().tobytes(), here


class _Witness:
    """Plays as another player does, and keeps every so many of the positions that it is shown."""

    def __init__(self, inner: Player) -> None:
        self._inner = inner
        self._game, self._ply = torch.empty(0), 0
        self.seen: list[State] = []

    def look(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        if action is None:
            self._game, self._ply = torch.arange(len(observation)), 0
        taken = (self._game + self._ply) % APART == 0
        self.seen.append(gather(state, taken.nonzero().flatten()))
        self._ply += 1
        self._inner.look(state, observation, action)

    def choose(self, rows: Tensor, legal: Tensor) -> Tensor:
        return self._inner.choose(rows, legal)

    def keep(self, rows: Tensor) -> None:
        self._game = self._game[rows]
        self._inner.keep(rows)
