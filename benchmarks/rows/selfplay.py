"""A step of many games in parallel, compared with its searches alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

from torch import Generator, Tensor

from benchmarks.measurement import Effort, Figure
from benchmarks.timing import TimingPairs
from workbench.config import read_trial
from workbench.contracts import Planner, TrialParts
from workbench.documents import wrap
from workbench.errors import SourceLocation
from workbench.models.world_model import WorldModel
from workbench.training.actor import Actor
from workbench.training.procedures.self_play import SelfPlay
from workbench.trial import build
from workbench.types import Latent, Plan

PRESETS = ("muzero", "muzero_cartpole")
GAMES, SIMULATIONS, MOVES = 128, 25, 40


@dataclass
class Timed:
    """A planner that accumulates its own seconds."""

    planner: Planner
    seconds: float = 0.0

    @property
    def differentiable(self) -> bool:
        """Whether the wrapped planner is differentiable."""
        return self.planner.differentiable

    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: Tensor,
        generator: Generator,
        explore: bool = False,
    ) -> Plan:
        """Plan with the wrapped planner and count the seconds."""
        start = time.perf_counter()
        plan = self.planner.plan(model, root, legal, generator, explore)
        self.seconds += time.perf_counter() - start
        return plan


def measure(effort: Effort) -> Iterator[Figure]:
    """Measure steps per second of all games, for a tabular environment and another one."""
    for preset in PRESETS[:1] if effort.quick else PRESETS:
        overlay = {"preset": preset, "planner.simulations": SIMULATIONS, "threads": effort.threads}
        parts = build(read_trial(wrap(overlay, SourceLocation("benchmark"))))
        pairs = _pairs(parts, effort)
        case: dict[str, str | int] = {
            "environment": parts.config.environment.component,
            "planner": parts.config.planner.component,
            "B": GAMES,
            "N": SIMULATIONS,
        }
        share = {"outside search %": 100 * (1 - 1 / pairs.ratio)}
        yield pairs.figure("selfplay", case, "searches", GAMES * MOVES, "steps/s", share)


def _pairs(parts: TrialParts, effort: Effort) -> TimingPairs:
    """Return the seconds of a number of steps in all games, and of the searches within them."""
    timed = Timed(parts.planner)
    config = cast(SelfPlay, parts.config.procedure)
    timing = replace(parts, planner=timed)
    actor = Actor(timing, GAMES, config.random_start, config.temperature)
    whole, searches = [], []
    for repeat in range(effort.repeats + 1):
        timed.seconds, start = 0.0, time.perf_counter()
        for _ in range(MOVES):
            actor.step(parts.model)
        if repeat:  # the first repetition compiles and warms up
            whole.append(time.perf_counter() - start)
            searches.append(timed.seconds)
    return TimingPairs(whole, searches)
