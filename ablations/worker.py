"""One trial in a worker process: run it, report its progress, record its failure."""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

from ablations.jobs import Job, RunTrial
from ablations.limits import LimitWatch, TrialLimits
from workbench.compilation import COMPILING, announce_compilation
from workbench.errors import TrialStopped, TrialTakenOver
from workbench.record import TrialRecord, write_text

REPORT_SECONDS = 2.0
"""Minimum seconds between two reports, because each makes the trial wait for the driver."""

TRACEBACK = "traceback.txt"

IMPORTING, PREPARING = "imports", "preparing evaluation sets"
SET_UP = (IMPORTING, PREPARING, COMPILING)
"""Phases of a trial before it trains and measures."""


def work(
    space: Mapping[str, Any],
    *,
    jobs: Mapping[str, Job],
    function: str | RunTrial,
    limits: TrialLimits,
) -> dict[str, Any]:
    """Run the trial that `space["trial"]` names.

    An exception of the trial would recur, so it is written to the trial's folder and not raised.
    Only a process that dies is tried again, unless it ended because of a limit.
    """
    from ray import tune

    job = jobs[space["trial"]]
    record = TrialRecord(job.folder)
    if record.failure() is None:
        reporter = Reporter(tune.report)
        with LimitWatch(limits, record) as watch:
            try:
                _run(job, function, reporter, watch.time_is_up)
            except TrialStopped:
                record.fail(watch.time_reason())
            except TrialTakenOver:  # its successor writes to the folder
                pass
            except (Exception, SystemExit) as error:
                with suppress(OSError):  # on a full disk the next line fails too
                    write_text(job.folder / TRACEBACK, traceback.format_exc())
                record.fail(f"{type(error).__name__}: {error}")
        gc.collect()  # free the trial's memory before this process starts another
    return {"ended": True}


def _run(
    job: Job, function: str | RunTrial, reporter: Reporter, should_stop: Callable[[], bool]
) -> None:
    reporter.on_status(IMPORTING, 0.0)
    run_trial = resolve(function)
    with announce_compilation(lambda: reporter.on_status(COMPILING, reporter.fraction)):
        run_trial(job.config, job.folder, reporter.on_measurement, reporter.on_status, should_stop)


def resolve(function: str | RunTrial) -> RunTrial:
    """Return a function, given itself or `package.module:name`."""
    if not isinstance(function, str):
        return function
    module, name = function.split(":")
    found: RunTrial = getattr(import_module(module), name)
    return found


class Reporter:
    """Sends phases of the set-up at once, and progress at most at the rate the driver needs."""

    def __init__(
        self, send: Callable[[dict[str, Any]], None], seconds: float = REPORT_SECONDS
    ) -> None:
        self._send = send
        self._seconds = seconds
        self._last = -float("inf")
        self._phase = ""
        self.fraction = 0.0

    def on_status(self, activity: str, fraction: float) -> None:
        """Report the current activity and the completed fraction of the training.

        A warning is no activity; the trial's result holds it.
        """
        if activity.startswith("Warning"):
            return
        phase = PREPARING if activity.startswith("preparing") else activity
        if (phase in SET_UP and phase != self._phase) or self._is_due():
            self._report(phase, fraction, {})
        self._phase = phase

    def on_measurement(self, fraction: float, metrics: Mapping[str, float | None]) -> None:
        """Report a measurement."""
        if self._is_due():
            self._report(self._phase, fraction, metrics)

    def _is_due(self) -> bool:
        return time.monotonic() - self._last >= self._seconds

    def _report(self, phase: str, fraction: float, metrics: Mapping[str, float | None]) -> None:
        self._last = time.monotonic()
        self.fraction = float(fraction)
        self._send({"phase": phase, "fraction": self.fraction, "last": dict(metrics)})
