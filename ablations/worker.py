"""One trial in a worker process: run it, report its progress, record its failure."""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from ablations.jobs import Job, RunTrial
from workbench.record import TrialRecord, write_text

REPORT_SECONDS = 2.0
"""Minimum seconds between two reports, because each makes the trial wait for the driver."""

TRACEBACK = "traceback.txt"


def work(
    space: Mapping[str, Any], *, jobs: Mapping[str, Job], function: str | RunTrial
) -> dict[str, Any]:
    """Run the trial that `space["trial"]` names.

    An exception of the trial would recur, so it is written to the trial's folder and not raised.
    Only a process that dies is tried again.
    """
    from ray import tune

    job = jobs[space["trial"]]
    try:
        resolve(function)(job.config, job.folder, Throttled(tune.report))
    except (Exception, SystemExit) as error:
        write_text(job.folder / TRACEBACK, traceback.format_exc())
        TrialRecord(job.folder).fail(f"{type(error).__name__}: {error}")
    gc.collect()  # free the trial's memory before this process starts another
    return {"ended": True}


def resolve(function: str | RunTrial) -> RunTrial:
    """Return a function, given itself or `package.module:name`."""
    if not isinstance(function, str):
        return function
    module, name = function.split(":")
    found: RunTrial = getattr(import_module(module), name)
    return found


class Throttled:
    """Passes on the latest report, at most at the rate that the driver needs."""

    def __init__(
        self, send: Callable[[dict[str, Any]], None], seconds: float = REPORT_SECONDS
    ) -> None:
        self._send = send
        self._seconds = seconds
        self._last = -float("inf")

    def __call__(self, fraction: float, metrics: Mapping[str, float | None]) -> None:
        """Report a measurement."""
        now = time.monotonic()
        if now - self._last >= self._seconds:
            self._last = now
            self._send({"fraction": float(fraction), "last": dict(metrics)})
