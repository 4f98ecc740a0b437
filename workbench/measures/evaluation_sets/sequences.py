"""Sequences and positions by what a world allows, made once on a machine."""

from __future__ import annotations

from typing import Any

from torch import Generator

from workbench.components import EnvironmentConfig
from workbench.contracts import Parts
from workbench.measures.evaluation_sets.episode_segments import kept_excerpts
from workbench.measures.evaluation_sets.positions import kept_positions, origin
from workbench.measures.evaluation_sets.store import kept
from workbench.measures.exact.solved_sequences import SEED, SHARPNESS, evaluation_set
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.measures.prediction.sequence_options import DEPTH
from workbench.types import SolvedEnvironment, State


def positions_of(parts: Parts, many: int) -> State:
    """Every non-terminal position where they can be listed, else so many frozen ones.

    Without an oracle, up to so many of each kind of play; None if states go only on.
    """
    world: Any = parts.environment
    if world.spec.enumerable:
        return world.positions()
    if world.spec.oracle:
        return kept_positions(parts.config.environment, world, many).state
    return kept_excerpts(parts.config.environment, world, many, DEPTH).at(0)


def sequences_of(parts: Parts, positions: int, depth: int) -> EvaluationSet:
    """From every position where they can be listed, else from so many frozen ones.

    Without an oracle, up to so many excerpts of each kind of play.
    """
    world: Any = parts.environment
    if world.spec.enumerable:
        return evaluation_set(world, world.positions(), depth)
    make = kept_sequences if world.spec.oracle else kept_excerpts
    return make(parts.config.environment, world, positions, depth)


def kept_sequences(
    config: EnvironmentConfig, environment: SolvedEnvironment, many: int, depth: int
) -> EvaluationSet:
    """The continuations of the first `many` frozen positions."""
    like = EvaluationSet.blank(environment.reset(1, Generator()), exact=True)

    def make() -> EvaluationSet:
        start = kept_positions(config, environment, many).state
        return evaluation_set(environment, start, depth)

    return kept("sequences", [*origin(config, many), depth, SEED, SOURCES, SHARPNESS], like, make)
