"""Segments of recorded episodes, for environments without an oracle; the same for all trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from workbench.components import EnvironmentConfig
from workbench.config import dump
from workbench.extras import installed_versions
from workbench.measures.evaluation_sets.store import cached
from workbench.measures.play.episodes import Player, RandomPlayer
from workbench.measures.play.opponents import RolloutPlayer, TreeSearchPlayer
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.measures.prediction.true_latents import unique_observations
from workbench.models.world_model import stack
from workbench.randomness import derive_seed
from workbench.types import Environment, State, Transition, gather, tree_map

VERSION = 1
"""Incremented when the same settings yield other segments."""
SEED = 20261126
GAMES = 8
"""Number of games played in parallel, until there are enough segments."""
ROUNDS = 200
"""Maximum number of such rounds."""
APART = 5
"""Minimum number of actions between the starts of two segments of one game."""
OF_A_GAME = 16
"""Maximum number of segments per game, so that no game dominates the set."""
LONGEST = 500
"""Maximum number of actions per game."""
ROLLOUTS, AHEAD = 30, 50
"""Rollouts per decision of the `behaviour` player, and the maximum length of its own rollouts."""
SETTINGS = [VERSION, SEED, SOURCES, GAMES, ROUNDS, APART, OF_A_GAME, LONGEST, ROLLOUTS, AHEAD]
ENGINES = ("torch", "numpy", "open-spiel", "gymnasium", "box2d", "box2d-py", "minatar", "ale-py")
"""Packages whose version determines how environments behave."""

Make = Callable[[str, Generator], Player]
"""Factory of a player, given its name and the generator of its random streams."""


@dataclass(frozen=True)
class EpisodeRecord:
    """Games played in parallel, from their starts."""

    observation: Tensor  # [G, T+1, *observation]
    legal: Tensor  # [G, T+1, A]
    action: Tensor  # [G, T]
    reward: Tensor  # [G, T]
    discount: Tensor  # [G, T]
    before_end: Tensor  # [G, T+1] bool, the state is known and not terminal
    reached: Tensor  # [G, T] bool, the action was executed
    state: State | None  # [G, T+1, ...] None for a forward-only environment


def cached_segments(
    config: EnvironmentConfig, environment: Environment, many: int, depth: int
) -> EvaluationSet:
    """Return the cached segments; the environments that make them are separate from the trial's."""
    begun = environment.reset(1, Generator()) if environment.spec.cloneable else None
    like = EvaluationSet.blank(begun, exact=False)
    key = [SETTINGS, dump(config), installed_versions(ENGINES), many, depth]
    return cached("excerpts", key, like, lambda: episode_segments(config.build(), many, depth))


def episode_segments(environment: Environment, many: int, depth: int) -> EvaluationSet:
    """Return up to `many` segments of the games of every player that the environment supports.

    Segments of one player are unique. The first ones do not depend on `many`.
    """
    found = [
        _from_player(environment, SOURCES.index(name), make, many, depth)
        for name, make in _players(environment).items()
    ]
    whole: EvaluationSet = tree_map(lambda *parts: torch.cat(parts), *found)
    roots, _ = unique_observations(whole.observation[:, 0])
    return replace(whole, roots=roots.sort().values)


def _players(environment: Environment) -> Mapping[str, Make]:
    """Players by source name.

    `behaviour` stands in for a partly trained agent: OpenSpiel's MCTS if the environment exposes
    OpenSpiel states, else Monte-Carlo rollouts if it is single-player and can be cloned, else
    absent.
    """
    any_environment: Any = environment
    players: dict[str, Make] = {"uniform": lambda name, generator: RandomPlayer(generator)}
    if hasattr(any_environment, "openspiel_states"):
        players["behaviour"] = lambda name, generator: TreeSearchPlayer(
            any_environment, ROLLOUTS, name
        )
    elif any_environment.spec.cloneable and not any_environment.spec.alternating:
        players["behaviour"] = lambda name, generator: RolloutPlayer(
            any_environment, ROLLOUTS, AHEAD, generator
        )
    return {name: players[name] for name in SOURCES if name in players}


def _from_player(
    environment: Environment, source: int, make: Make, many: int, depth: int
) -> EvaluationSet:
    """Return unique segments of one player's games.

    There are fewer than `many` if a round of games brings no new one.
    """
    known: set[bytes] = set()
    parts: list[EvaluationSet] = []
    for number in range(ROUNDS):
        name = f"excerpts/{SOURCES[source]}/{number}"
        generator = Generator().manual_seed(derive_seed(SEED, name))
        record = _play(environment, make(name, generator), generator)
        first = (source * ROUNDS + number) * GAMES
        found = _slice(record, _starts(record, generator), source, first, depth)
        new = []
        for row, look in enumerate(_keys(found)):
            if look not in known and len(known) < many:
                known.add(look)
                new.append(row)
        parts.append(gather(found, torch.tensor(new, dtype=torch.int64)))
        if not new or len(known) == many:
            break
    return tree_map(lambda *some: torch.cat(some), *parts)


def _starts(record: EpisodeRecord, generator: Generator) -> Tensor:
    """[N, 2] Return possible starts (game, step) in random order, limited per game."""
    game, move = record.reached.nonzero(as_tuple=True)
    taken = ((game + move) % APART == 0).nonzero().flatten()
    order = taken[torch.randperm(len(taken), generator=generator)]
    before = one_hot(game[order], GAMES).cumsum(0).gather(1, game[order, None]).squeeze(1)
    order = order[before <= OF_A_GAME]
    return torch.stack([game[order], move[order]], 1)


def _keys(sequences: EvaluationSet) -> Iterator[bytes]:
    """Return a key per segment, by which duplicates are found."""
    for observation, action in zip(sequences.observation, sequences.action, strict=True):
        yield observation.numpy().tobytes() + action.numpy().tobytes()


def _play(environment: Environment, player: Player, generator: Generator) -> EpisodeRecord:
    """Play GAMES games to their ends, or at most LONGEST actions."""
    state, action = environment.reset(GAMES, generator), None
    states, seen, legal, before_end = [], [], [], []
    moves: list[tuple[Tensor, Transition, Tensor]] = []
    known = going = torch.ones(
        GAMES, dtype=torch.bool
    )  # whether the state is known; whether the game continues
    while True:
        states.append(state)
        seen.append(environment.observe(state))
        legal.append(environment.legal(state))
        before_end.append(known)
        if len(moves) == LONGEST or not going.any():
            break
        player.observe(state, seen[-1], action)
        rows, action = going.nonzero().flatten(), torch.zeros(GAMES, dtype=torch.int64)
        action[rows] = player.act(rows, legal[-1][rows])
        state, transition = environment.step(state, action, generator)
        moves.append((action, transition, going))
        known = going & ~transition.terminated
        going = known & ~transition.truncated
    made, then, reached = zip(*moves, strict=True)
    return EpisodeRecord(
        observation=torch.stack(seen, 1),
        legal=torch.stack(legal, 1),
        action=torch.stack(made, 1),
        reward=torch.stack([one.reward for one in then], 1),
        discount=torch.stack([one.discount for one in then], 1),
        before_end=torch.stack(before_end, 1),
        reached=torch.stack(reached, 1),
        state=stack(states) if environment.spec.cloneable else None,
    )


def _slice(
    record: EpisodeRecord, begin: Tensor, source: int, first: int, depth: int
) -> EvaluationSet:
    """Return the segments that start at (game, step) [N, 2]; data past the end is masked.

    Games are numbered from `first` on; every row is a root.
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
        state=tree_map(lambda states: states[game, stands], record.state),
        value=None,
        optimal=None,
    )
