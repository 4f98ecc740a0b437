"""Records that a launch passes to Ray, and Ray to a worker. Imports no Ray."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ablations.plan import TrialPlan
from workbench.config import TrialConfig

Report: TypeAlias = Callable[[float, Mapping[str, float | None]], None]
RunTrial: TypeAlias = Callable[[TrialConfig, Path, Report | None], Any]


@dataclass(frozen=True)
class Job:
    """A trial as a worker needs it."""

    config: TrialConfig
    folder: Path


@dataclass(frozen=True)
class Launch:
    """Trials to run, the function that runs them, their concurrency, and the deadline."""

    trials: Sequence[TrialPlan]
    function: str | RunTrial
    concurrent: int
    threads: int
    deadline: float | None = None
    """Time of time.monotonic() after which no trial starts."""
