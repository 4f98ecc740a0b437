"""Evaluation sequences and positions by what an environment supports, cached per machine."""

from __future__ import annotations

from typing import Any

from torch import Generator

from workbench.components import EnvironmentConfig
from workbench.contracts import TrialParts
from workbench.measures.evaluation_sets.episode_segments import cached_segments
from workbench.measures.evaluation_sets.positions import cache_key, cached_positions
from workbench.measures.evaluation_sets.store import cached
from workbench.measures.exact.solved_sequences import SEED, SHARPNESS, evaluation_set
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.measures.prediction.sequence_options import DEPTH
from workbench.types import SolvedEnvironment, State


def positions_of(parts: TrialParts, many: int) -> State:
    """Return all non-terminal positions if they can be listed, else evaluation positions.

    Without an oracle: up to `many` positions of each kind of play; None if states cannot be cloned.
    """
    world: Any = parts.environment
    if world.spec.enumerable:
        return world.positions()
    if world.spec.oracle:
        return cached_positions(parts.config.environment, world, many).state
    return cached_segments(parts.config.environment, world, many, DEPTH).at(0)


def sequences_of(parts: TrialParts, positions: int, depth: int) -> EvaluationSet:
    """Return sequences from all positions if they can be listed, else from evaluation positions.

    Without an oracle: up to `many` episode segments of each kind of play.
    """
    world: Any = parts.environment
    if world.spec.enumerable:
        return evaluation_set(world, world.positions(), depth)
    make = cached_sequences if world.spec.oracle else cached_segments
    return make(parts.config.environment, world, positions, depth)


def cached_sequences(
    config: EnvironmentConfig, environment: SolvedEnvironment, many: int, depth: int
) -> EvaluationSet:
    """Return the continuations of the first `many` evaluation positions."""
    like = EvaluationSet.blank(environment.reset(1, Generator()), exact=True)

    def make() -> EvaluationSet:
        start = cached_positions(config, environment, many).state
        return evaluation_set(environment, start, depth)

    return cached(
        "sequences", [*cache_key(config, many), depth, SEED, SOURCES, SHARPNESS], like, make
    )
