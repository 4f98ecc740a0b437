"""Callback that records a launch in MLflow while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ablations.plan import TrialPlan
from ablations.tracking.address import Store
from ablations.tracking.connection import connect, describe, unusable
from ablations.tracking.experiment import Experiment, open_experiment
from ablations.tracking.launch_run import LaunchRun, begin_launch
from ablations.tracking.study import TrackedStudy
from ablations.tracking.trial_runs import TrialRuns

PAUSE_SECONDS = 60.0
"""Time without a request after a store failed: each failure makes the launch wait for seconds."""


class Tracker:
    """Callback that records the runs of one launch."""

    def __init__(self, experiment: Experiment, launch: LaunchRun, warnings: Sequence[str]) -> None:
        self.experiment = experiment
        self._launch = launch
        self._runs = TrialRuns(experiment, launch.id)
        self._trials = {trial.id: trial for trial in experiment.study.trials}
        self._file = _identity(experiment.store)
        self._silent_until = -float("inf")
        self._closed = False
        self._failure: str | None = None
        self._warnings = list(warnings)

    @property
    def warnings(self) -> list[str]:
        """Warnings for the user: a store that was replaced, or runs that are incomplete."""
        name = self.experiment.study.name
        failure = self._failure
        if failure is None and _identity(self.experiment.store) != self._file:
            failure = "the store was deleted or replaced during the launch"
        if failure is None:
            return self._warnings
        advice = f"`workbench sync {name}` writes what is missing"
        return [*self._warnings, f"MLflow is incomplete: {failure}; {advice}"]

    def started(self, trial: TrialPlan) -> None:
        """Handle the start of a trial."""
        self._attempt(lambda: self._runs.update(self._trials[trial.id], running=True))

    def progressed(
        self, trial: TrialPlan, phase: str, fraction: float, metrics: Mapping[str, float | None]
    ) -> None:
        """Handle progress of a trial."""
        self.started(trial)

    def finished(self, trial: TrialPlan, failure: str | None) -> None:
        """Handle the end of a trial."""
        self._attempt(lambda: self._runs.update(self._trials[trial.id], running=False))

    def close(self, status: str) -> None:
        """End the launch, once: write all that is missing, also of earlier launches."""
        if self._closed:
            return
        self._closed = True
        self._failure = None
        self._silent_until = -float("inf")
        for trial in self._trials.values():
            self._attempt(partial(self._runs.update, trial, running=False))
        self._attempt(self._launch.summarise)
        self._attempt(lambda: self._launch.end(status))

    def keep_report(self, files: Sequence[Path]) -> None:
        """Store the files of a report with the launch."""
        self._attempt(lambda: self._launch.keep_report(files))

    def _attempt(self, write: Callable[[], object]) -> None:
        """Write, unless the store failed just now. Whatever it raises, the trials continue."""
        if time.monotonic() < self._silent_until:
            return
        try:
            write()
        except Exception as error:
            self._failure = describe(error, self.experiment.store)
            self._silent_until = time.monotonic() + PAUSE_SECONDS


def open_tracker(study: TrackedStudy, store: Store) -> Tracker:
    """Open the store, close the runs of dead launches, and begin a launch.

    Raises:
        WorkbenchError: the store cannot be reached or written.
    """
    client, warnings = connect(store)
    try:
        experiment = open_experiment(client, store, study)
        experiment.close_stale_runs()
        return Tracker(experiment, begin_launch(experiment), warnings)
    except Exception as error:  # every store has its own exceptions
        raise unusable(error, store) from None


def _identity(store: Store) -> tuple[int, int] | None:
    """Return what tells a file from another one that has taken its place."""
    if store.file is None:
        return None
    try:
        status = store.file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
