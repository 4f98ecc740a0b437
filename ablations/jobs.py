"""What a launch hands to Ray, and what Ray hands to a worker; light, without Ray."""

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
    """What a worker needs to know of a trial."""

    config: TrialConfig
    folder: Path


@dataclass(frozen=True)
class Launch:
    """What is run, by what function, how many at once and until when."""

    trials: Sequence[TrialPlan]
    function: str | RunTrial
    concurrent: int
    threads: int
    deadline: float | None = None
    """On the clock of time.monotonic(): no trial starts after it."""
