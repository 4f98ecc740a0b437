"""Sequences from frozen positions, solved once on a machine."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator

from workbench.components import EnvironmentConfig
from workbench.contracts import Parts
from workbench.measures.exact.evaluation_set import (
    SEED,
    SHARPNESS,
    SOURCES,
    EvaluationSet,
    evaluation_set,
)
from workbench.measures.frozen.positions import kept_positions, origin
from workbench.measures.frozen.store import kept
from workbench.types import SolvedEnvironment, State


def positions_of(parts: Parts, many: int) -> State:
    """Every non-terminal position where they can be listed, else so many frozen ones."""
    world: Any = parts.environment
    if world.spec.enumerable:
        return world.positions()
    return kept_positions(parts.config.environment, world, many).state


def sequences_of(parts: Parts, positions: int, depth: int) -> EvaluationSet:
    """From every position where they can be listed, else from so many frozen ones."""
    world: Any = parts.environment
    if world.spec.enumerable:
        return evaluation_set(world, world.positions(), depth)
    return kept_sequences(parts.config.environment, world, positions, depth)


def kept_sequences(
    config: EnvironmentConfig, environment: SolvedEnvironment, many: int, depth: int
) -> EvaluationSet:
    """The continuations of the first `many` frozen positions."""
    empty = torch.empty(0)
    begun = environment.reset(1, Generator())
    like = EvaluationSet(begun, empty, empty, empty, empty, empty, empty)

    def make() -> EvaluationSet:
        start = kept_positions(config, environment, many).state
        return evaluation_set(environment, start, depth)

    return kept("sequences", [*origin(config, many), depth, SEED, SOURCES, SHARPNESS], like, make)
