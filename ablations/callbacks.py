"""Who hears what happens to trials while they run: the display and the tracking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ablations.plan import TrialPlan


class Listener(Protocol):
    """Told of every trial's fate, in the driver's main thread."""

    def started(self, trial: TrialPlan) -> None: ...

    def progressed(
        self, trial: TrialPlan, fraction: float, metrics: Mapping[str, float | None]
    ) -> None: ...

    def finished(self, trial: TrialPlan, failure: str | None) -> None: ...


class Listeners:
    """Several listeners as one."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = tuple(listeners)

    def started(self, trial: TrialPlan) -> None:
        for listener in self._listeners:
            listener.started(trial)

    def progressed(
        self, trial: TrialPlan, fraction: float, metrics: Mapping[str, float | None]
    ) -> None:
        for listener in self._listeners:
            listener.progressed(trial, fraction, metrics)

    def finished(self, trial: TrialPlan, failure: str | None) -> None:
        for listener in self._listeners:
            listener.finished(trial, failure)
