"""Sequences out of whole episodes, for worlds without an oracle: the same ones for every trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from workbench.components import EnvironmentConfig
from workbench.config import dump
from workbench.extras import versions
from workbench.measures.evaluation_sets.store import kept
from workbench.measures.play.episodes import Player, RandomPlayer
from workbench.measures.play.opponents import RolloutPlayer, TreeSearchPlayer
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.measures.prediction.true_latents import looking_apart
from workbench.models.world_model import stack
from workbench.randomness import seed_of
from workbench.types import Environment, State, Transition, gather, map_tensors

VERSION = 1
"""Raised when the same settings come to mean other sequences."""
SEED = 20261126
GAMES = 8
"""Played side by side, until there are sequences enough."""
ROUNDS = 200
"""Of such games, at most."""
APART = 5
"""Moves between the beginnings of two sequences of one game."""
OF_A_GAME = 16
"""Sequences at most, so that no game is most of the set."""
LONGEST = 500
"""Moves of a game, after which it is left."""
ROLLOUTS, AHEAD = 30, 50
"""Random games a decision of the player who stands for one that is still learning. Where it plays
them by itself, they are left after so many moves."""
SETTINGS = [VERSION, SEED, SOURCES, GAMES, ROUNDS, APART, OF_A_GAME, LONGEST, ROLLOUTS, AHEAD]
ENGINES = ("torch", "numpy", "open-spiel", "gymnasium", "box2d", "box2d-py", "minatar", "ale-py")
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
    """The excerpts, made once on a machine, in worlds of their own."""
    begun = environment.reset(1, Generator()) if environment.spec.copyable else None
    like = EvaluationSet.blank(begun, exact=False)
    key = [SETTINGS, dump(config), versions(ENGINES), many, depth]
    return kept("excerpts", key, like, lambda: excerpts(config.build(), many, depth))


def excerpts(environment: Environment, many: int, depth: int) -> EvaluationSet:
    """Of games of every kind of player who can play here, up to `many` sequences each.

    No two of one kind are the same. The first ones are, however many are asked for.
    """
    found = [
        _of_one(environment, SOURCES.index(name), make, many, depth)
        for name, make in _players(environment).items()
    ]
    whole: EvaluationSet = map_tensors(lambda *parts: torch.cat(parts), *found)
    roots, _ = looking_apart(whole.observation[:, 0])
    return replace(whole, roots=roots.sort().values)


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
    environment: Environment, source: int, make: Make, many: int, depth: int
) -> EvaluationSet:
    """Sequences of one player's games, each once.

    There are fewer than `many` in a world with few ways to go: where a round of games brings no
    new one.
    """
    known: set[bytes] = set()
    parts: list[EvaluationSet] = []
    for number in range(ROUNDS):
        name = f"excerpts/{SOURCES[source]}/{number}"
        generator = Generator().manual_seed(seed_of(SEED, name))
        record = _play(environment, make(name, generator), generator)
        first = (source * ROUNDS + number) * GAMES
        found = _cut(record, _beginnings(record, generator), source, first, depth)
        new = []
        for row, look in enumerate(_looks(found)):
            if look not in known and len(known) < many:
                known.add(look)
                new.append(row)
        parts.append(gather(found, torch.tensor(new, dtype=torch.int64)))
        if not new or len(known) == many:
            break
    return map_tensors(lambda *some: torch.cat(some), *parts)


def _beginnings(record: Record, generator: Generator) -> Tensor:
    """Where sequences may begin, in random order, not too many of a game: (game, move) [N, 2]"""
    game, move = record.reached.nonzero(as_tuple=True)
    taken = ((game + move) % APART == 0).nonzero().flatten()
    order = taken[torch.randperm(len(taken), generator=generator)]
    before = one_hot(game[order], GAMES).cumsum(0).gather(1, game[order, None]).squeeze(1)
    order = order[before <= OF_A_GAME]
    return torch.stack([game[order], move[order]], 1)


def _looks(sequences: EvaluationSet) -> Iterator[bytes]:
    """What tells each sequence from others."""
    for observation, action in zip(sequences.observation, sequences.action, strict=True):
        yield observation.numpy().tobytes() + action.numpy().tobytes()


def _play(environment: Environment, player: Player, generator: Generator) -> Record:
    """GAMES games to their ends, or LONGEST moves of them."""
    state, action = environment.reset(GAMES, generator), None
    states, seen, legal, before_end = [], [], [], []
    moves: list[tuple[Tensor, Transition, Tensor]] = []
    known = going = torch.ones(GAMES, dtype=torch.bool)  # where a game stands; whether it goes on
    while True:
        states.append(state)
        seen.append(environment.observe(state))
        legal.append(environment.legal(state))
        before_end.append(known)
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
        before_end=torch.stack(before_end, 1),
        reached=torch.stack(reached, 1),
        state=stack(states) if environment.spec.copyable else None,
    )


def _cut(record: Record, begin: Tensor, source: int, first: int, depth: int) -> EvaluationSet:
    """The sequences from (game, move) [N, 2] on; past the last move of the games nothing is known.

    Games are numbered from `first` on; every row counts as a root.
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
        source=torch.full((len(begin),), source),
        game=begin[:, 0] + first,
        roots=torch.arange(len(begin)),
        state=map_tensors(lambda states: states[game, stands], record.state),
        value=None,
        optimal=None,
    )
