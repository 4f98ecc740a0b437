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
    environment: Any = parts.environment
    if environment.spec.enumerable:
        return environment.positions()
    if environment.spec.oracle:
        return cached_positions(parts.config.environment, environment, many).state
    return cached_segments(parts.config.environment, environment, many, DEPTH).at(0)


def sequences_of(parts: TrialParts, positions: int, depth: int) -> EvaluationSet:
    """Return sequences from all positions if they can be listed, else from evaluation positions.

    Without an oracle: up to `many` episode segments of each kind of play.
    """
    environment: Any = parts.environment
    if environment.spec.enumerable:
        return evaluation_set(environment, environment.positions(), depth)
    make = cached_sequences if environment.spec.oracle else cached_segments
    return make(parts.config.environment, environment, positions, depth)


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
