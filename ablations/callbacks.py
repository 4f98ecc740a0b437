"""Callbacks for events of running trials: the display and the tracking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ablations.plan import TrialPlan


class TrialCallback(Protocol):
    """Receives the events of every trial, in the driver's main thread."""

    def started(self, trial: TrialPlan) -> None:
        """Handle the start of a trial."""
        ...

    def progressed(
        self, trial: TrialPlan, phase: str, fraction: float, metrics: Mapping[str, float | None]
    ) -> None:
        """Handle progress of a trial; the metrics are empty between measurements."""
        ...

    def finished(self, trial: TrialPlan, failure: str | None) -> None:
        """Handle the end of a trial."""
        ...


class CallbackList:
    """Several callbacks as one."""

    def __init__(self, listeners: Sequence[TrialCallback]) -> None:
        self._listeners = tuple(listeners)

    def started(self, trial: TrialPlan) -> None:
        """Handle the start of a trial."""
        for listener in self._listeners:
            listener.started(trial)

    def progressed(
        self, trial: TrialPlan, phase: str, fraction: float, metrics: Mapping[str, float | None]
    ) -> None:
        """Handle progress of a trial; the metrics are empty between measurements."""
        for listener in self._listeners:
            listener.progressed(trial, phase, fraction, metrics)

    def finished(self, trial: TrialPlan, failure: str | None) -> None:
        """Handle the end of a trial."""
        for listener in self._listeners:
            listener.finished(trial, failure)
