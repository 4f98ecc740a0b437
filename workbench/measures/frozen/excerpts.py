"""Sequences out of whole episodes, for worlds without an oracle: the same ones for every trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Generator, Tensor

from workbench.components import EnvironmentConfig
from workbench.config import dump
from workbench.measures.frozen.store import kept
from workbench.measures.play.episodes import Player, RandomPlayer
from workbench.measures.play.opponents import RolloutPlayer, TreeSearchPlayer
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.models.world_model import stack
from workbench.randomness import seed_of
from workbench.types import Environment, State, Transition, map_tensors

VERSION = 1
"""Raised when the same settings come to mean other sequences."""
SEED = 20261126
GAMES = 8
"""Played side by side, until there are sequences enough."""
ROUNDS = 50
"""Of such games, at most."""
APART = 5
"""Moves between the beginnings of two sequences of one game."""
LONGEST = 500
"""Moves of a game, after which it is left."""
ROLLOUTS, AHEAD = 30, 50
"""Random games a decision of the player who stands for one that is still learning. Where it plays
them by itself, they are left after so many moves."""
ENGINES = ("torch", "open-spiel", "gymnasium", "minatar", "ale-py")
"""Packages that say how worlds go on."""

Make = Callable[[str, Generator], Player]
"""A player by the name and the generator of its random streams."""


@dataclass(frozen=True)
class Record:
    """Games side by side, from their beginnings on."""

    observation: Tensor  # [G, T+1, *observation]
    legal: Tensor  # [G, T+1, A]
    action: Tensor  # [G, T]
    reward: Tensor  # [G, T]
    discount: Tensor  # [G, T]
    before_end: Tensor  # [G, T+1] bool, it is known where the game stands, and that is no end
    reached: Tensor  # [G, T] bool, the move was made
    state: State | None  # [G, T+1, ...] None if states go only on


def kept_excerpts(
    config: EnvironmentConfig, environment: Environment, many: int, depth: int
) -> EvaluationSet:
    """The excerpts, made once on a machine."""
    begun = environment.reset(1, Generator()) if environment.spec.copyable else None
    like = EvaluationSet.blank(begun, exact=False)
    settings = [VERSION, SEED, GAMES, ROUNDS, APART, LONGEST, ROLLOUTS, AHEAD]
    key = [settings, dump(config), _versions(), many, depth]
    return kept("excerpts", key, like, lambda: excerpts(environment, many, depth))


def excerpts(environment: Environment, many: int, depth: int) -> EvaluationSet:
    """Of games of every kind of player who can play here, up to `many` sequences each.

    No two of one kind begin with the same observation. The first ones begin at the same places
    however many are asked for.
    """
    found = [
        replace(sequences, source=torch.full((len(sequences.action),), SOURCES.index(name)))
        for name, make in _players(environment).items()
        for sequences in [_of_one(environment, name, make, many, depth)]
    ]
    whole = map_tensors(lambda *parts: torch.cat(parts), *found)
    return replace(whole, roots=torch.arange(len(whole.action)))


def _players(environment: Environment) -> Mapping[str, Make]:
    """By source. Who learns looks ahead: games by OpenSpiel's tree search where it can be given
    their states, worlds of one side by rollouts where they can be copied."""
    world: Any = environment
    players: dict[str, Make] = {"uniform": lambda name, generator: RandomPlayer(generator)}
    if hasattr(world, "worlds"):
        players["behaviour"] = lambda name, generator: TreeSearchPlayer(world, ROLLOUTS, name)
    elif world.spec.copyable and not world.spec.alternating:
        players["behaviour"] = lambda name, generator: RolloutPlayer(
            world, ROLLOUTS, AHEAD, generator
        )
    return {name: players[name] for name in SOURCES if name in players}


def _of_one(
    environment: Environment, source: str, make: Make, many: int, depth: int
) -> EvaluationSet:
    """Sequences of one player's games; what begins alike, once.

    There are fewer than `many` in a world with few places to begin from: where a round of games
    comes to no new one.
    """
    known: set[bytes] = set()
    parts: list[EvaluationSet] = []
    for record, order in _games(environment, source, make):
        rows = []
        for game, move in order.tolist():
            look = record.observation[game, move].numpy().tobytes()
            if look not in known and len(known) < many:
                known.add(look)
                rows.append((game, move))
        if rows:
            parts.append(_cut(record, torch.tensor(rows), depth))
        if not rows or len(known) == many:
            break
    return map_tensors(lambda *some: torch.cat(some), *parts)


def _games(environment: Environment, source: str, make: Make) -> Iterator[tuple[Record, Tensor]]:
    """Games played, and in random order where a sequence may begin: (game, move) [N, 2]"""
    for number in range(ROUNDS):
        name = f"excerpts/{source}/{number}"
        generator = Generator().manual_seed(seed_of(SEED, name))
        record = _play(environment, make(name, generator), generator)
        game, move = record.reached.nonzero(as_tuple=True)
        taken = ((game + move) % APART == 0).nonzero().flatten()
        order = taken[torch.randperm(len(taken), generator=generator)]
        yield record, torch.stack([game[order], move[order]], 1)


def _play(environment: Environment, player: Player, generator: Generator) -> Record:
    """GAMES games to their ends, or LONGEST moves of them."""
    state, action = environment.reset(GAMES, generator), None
    going = torch.ones(GAMES, dtype=torch.bool)
    states, seen, legal, alive = [], [], [], []
    moves: list[tuple[Tensor, Transition, Tensor]] = []
    known = going
    while True:
        states.append(state)
        seen.append(environment.observe(state))
        legal.append(environment.legal(state))
        alive.append(known)
        if len(moves) == LONGEST or not going.any():
            break
        player.look(state, seen[-1], action)
        rows, action = going.nonzero().flatten(), torch.zeros(GAMES, dtype=torch.int64)
        action[rows] = player.choose(rows, legal[-1][rows])
        state, transition = environment.step(state, action, generator)
        moves.append((action, transition, going))
        known = going & ~transition.terminated
        going = known & ~transition.truncated
    made, then, reached = zip(*moves, strict=True)
    return Record(
        observation=torch.stack(seen, 1),
        legal=torch.stack(legal, 1),
        action=torch.stack(made, 1),
        reward=torch.stack([one.reward for one in then], 1),
        discount=torch.stack([one.discount for one in then], 1),
        before_end=torch.stack(alive, 1),
        reached=torch.stack(reached, 1),
        state=stack(states) if environment.spec.copyable else None,
    )


def _cut(record: Record, begin: Tensor, depth: int) -> EvaluationSet:
    """The sequences from (game, move) [N, 2] on; past the last move of the games nothing is known.

    `source` and `roots` are not told here.
    """
    game, longest = begin[:, :1], record.action.shape[1]
    at = begin[:, 1:] + torch.arange(depth + 1)  # [N, K+1]
    inside, move = at <= longest, at[:, :-1].clamp(max=longest - 1)
    stands = at.clamp(max=longest)
    return EvaluationSet(
        observation=record.observation[game, stands],
        legal=record.legal[game, stands],
        action=record.action[game, move],
        reward=record.reward[game, move],
        discount=record.discount[game, move],
        before_end=record.before_end[game, stands] & inside,
        reached=record.reached[game, move] & (at[:, :-1] < longest),
        source=begin[:, 0],
        roots=begin[:, 0],
        state=map_tensors(lambda states: states[game, stands], record.state),
        value=None,
        optimal=None,
    )


def _versions() -> dict[str, str]:
    """Of the engines that are installed."""
    found = {}
    for name in ENGINES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
