"""One trial inside a worker process: run it, pass on how far it is, write down how it failed."""

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
"""Least time between two reports: each makes the trial wait for the driver."""

TRACEBACK = "traceback.txt"


def work(
    space: Mapping[str, Any], *, jobs: Mapping[str, Job], function: str | RunTrial
) -> dict[str, Any]:
    """Run the trial that `space["trial"]` names.

    An exception is the trial's own and would come again, so it is written into the trial's folder
    and not raised: only a process that dies is tried a second time.
    """
    from ray import tune

    job = jobs[space["trial"]]
    try:
        resolve(function)(job.config, job.folder, Throttled(tune.report))
    except (Exception, SystemExit) as error:
        write_text(job.folder / TRACEBACK, traceback.format_exc())
        TrialRecord(job.folder).fail(f"{type(error).__name__}: {error}")
    gc.collect()  # what a trial held, before this process begins another
    return {"ended": True}


def resolve(function: str | RunTrial) -> RunTrial:
    """A function from itself or from `package.module:name`."""
    if not isinstance(function, str):
        return function
    module, name = function.split(":")
    found: RunTrial = getattr(import_module(module), name)
    return found


class Throttled:
    """Passes on the latest report, not more often than the driver needs."""

    def __init__(
        self, send: Callable[[dict[str, Any]], None], seconds: float = REPORT_SECONDS
    ) -> None:
        self._send = send
        self._seconds = seconds
        self._last = -float("inf")

    def __call__(self, fraction: float, metrics: Mapping[str, float | None]) -> None:
        now = time.monotonic()
        if now - self._last >= self._seconds:
            self._last = now
            self._send({"fraction": float(fraction), "last": dict(metrics)})
