"""Limits of one trial's time and memory, enforced in the process that runs it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from workbench.record import TrialRecord

CHECK_SECONDS = 0.5
GRACE_SECONDS = 60.0
"""Seconds after its time limit in which a trial may still save its checkpoint."""

KILLED = 1


@dataclass(frozen=True)
class TrialLimits:
    """Limits of a trial in one launch; None is no limit."""

    minutes: float | None = None
    memory: int | None = None
    """Bytes of resident memory."""


NO_LIMITS = TrialLimits()


class LimitWatch:
    """Context manager that enforces the limits of a trial.

    At the end of its time a trial is asked to stop, which saves a checkpoint. A trial that does not
    listen, or that exceeds its memory, ends with its process after the reason is written.
    """

    def __init__(
        self,
        limits: TrialLimits,
        record: TrialRecord,
        exit_process: Callable[[int], object] = os._exit,
        resident: Callable[[], int] = lambda: psutil.Process().memory_info().rss,
    ) -> None:
        self._limits = limits
        self._record = record
        self._exit = exit_process
        self._resident = resident
        self._started = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> LimitWatch:
        if self._limits != NO_LIMITS:
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def time_is_up(self) -> bool:
        """Whether the trial has used up its time."""
        return self._late(0)

    def time_reason(self) -> str:
        """Return why a trial was stopped that has used up its time."""
        return (
            f"stopped after {self._limits.minutes:g} min, the limit of --trial-minutes; its "
            "checkpoint is kept, and the same command with a higher limit resumes it"
        )

    def _late(self, grace: float) -> bool:
        minutes = self._limits.minutes
        return minutes is not None and time.monotonic() - self._started > 60 * minutes + grace

    def _watch(self) -> None:
        while not self._ended.wait(CHECK_SECONDS):
            reason = self._violation()
            if reason is not None:
                self._record.fail(reason)
                self._exit(KILLED)
                return

    def _violation(self) -> str | None:
        """Return why the process must end, or None."""
        memory = self._limits.memory
        if memory is not None and (used := self._resident()) > memory:
            return (
                f"used {used / 1e9:.2f} GB of memory, more than the {memory / 1e9:g} GB of "
                "--trial-memory; the next launch resumes it from its last checkpoint"
            )
        if self._late(GRACE_SECONDS):
            return (
                f"did not stop within {GRACE_SECONDS:g} s after {self._limits.minutes:g} min, the "
                "limit of --trial-minutes; the next launch resumes it from its last checkpoint"
            )
        return None
