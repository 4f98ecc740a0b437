"""Records that a launch passes to Ray, and Ray to a worker. Imports no Ray."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from ablations.limits import NO_LIMITS, TrialLimits
from ablations.plan import TrialPlan
from workbench.config import TrialConfig

OnMeasurement: TypeAlias = Callable[[float, Mapping[str, float | None]], None]
OnStatus: TypeAlias = Callable[[str, float], None]


class RunTrial(Protocol):
    """The call of `workbench.trial.run_trial`."""

    def __call__(
        self,
        config: TrialConfig,
        folder: Path,
        on_measurement: OnMeasurement,
        on_status: OnStatus,
        should_stop: Callable[[], bool],
    ) -> Any:
        """Run a trial."""
        ...


@dataclass(frozen=True)
class Job:
    """A trial as a worker needs it."""

    config: TrialConfig
    folder: Path


@dataclass(frozen=True)
class Launch:
    """Trials to run, the function that runs them, their concurrency, and their limits."""

    trials: Sequence[TrialPlan]
    function: str | RunTrial
    concurrent: int
    threads: int
    deadline: float | None = None
    """Time of time.monotonic() after which no trial starts."""
    limits: TrialLimits = NO_LIMITS
    fail_fast: bool = False
    """Whether the first failed trial stops the launch."""
