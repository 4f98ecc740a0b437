"""Status of every trial while a launch runs; the model behind the displays."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ablations.plan import Plan, TrialPlan
from workbench.record import METRICS, read_rows

STARTING, TRAINING = "starting", "training"

LEAST_SECONDS = 2.0
"""Seconds of training before a first estimate."""


@dataclass
class Pace:
    """Progress of a trial since it began to train in this launch."""

    began: float
    """Seconds of time.monotonic()."""
    fraction: float
    """Fraction that was done then."""
    seconds: float = 0.0
    done: float = 0.0

    def update(self, fraction: float) -> None:
        """Note the fraction that is done now."""
        self.seconds, self.done = time.monotonic() - self.began, fraction - self.fraction


@dataclass
class TrialStatus:
    """Status of one trial."""

    state: str
    """`pending`, `running`, `done` or `failed`."""
    fraction: float = 0.0
    phase: str = ""
    """Phase of a running trial, such as `compiling kernels` or `training`."""
    pace: Pace | None = None
    """Speed of the trial in this launch; None before it trains."""
    primary: float | None = None


class StudyStatus:
    """Status of all trials of a plan, by condition and seed; updated as a callback."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.began = time.monotonic()
        self.last = ""
        self.cells = {trial.id: self._cell(trial) for trial in plan.trials}

    def started(self, trial: TrialPlan) -> None:
        """Handle the start of a trial."""
        cell = self.cells[trial.id]
        cell.state, cell.phase = "running", STARTING

    def progressed(
        self, trial: TrialPlan, phase: str, fraction: float, metrics: Mapping[str, float | None]
    ) -> None:
        """Handle progress of a trial."""
        cell, primary = self.cells[trial.id], self.plan.study.primary
        cell.phase, cell.fraction = phase, max(fraction, cell.fraction)
        if cell.pace is not None:
            cell.pace.update(fraction)
        elif phase == TRAINING:
            cell.pace = Pace(time.monotonic(), fraction)
        cell.primary = metrics.get(primary, cell.primary)
        if metrics.get(primary) is not None:
            self.last = f"{trial.label}: {primary} {metrics[primary]:.4g} at {fraction:.0%}"

    def finished(self, trial: TrialPlan, failure: str | None) -> None:
        """Handle the end of a trial."""
        cell = self.cells[trial.id]
        cell.state = "done" if failure is None else "failed"
        cell.fraction = 1.0
        if cell.pace is not None and failure is None:
            cell.pace.update(1.0)
        cell.primary = self._measured(trial)
        self.last = f"{trial.label}: {failure}" if failure is not None else self.outcome(trial)

    def outcome(self, trial: TrialPlan) -> str:
        """Return the status of a trial."""
        value = self.cells[trial.id].primary
        shown = "not measured" if value is None else f"{value:.4g}"
        return f"{trial.label}: {self.plan.study.primary} {shown}"

    def elapsed(self) -> float:
        """Seconds since the launch started."""
        return time.monotonic() - self.began

    def left(self) -> float | None:
        """Return the estimated seconds left; None until there is an estimate."""
        paces = self._paces()
        if not paces:
            return None
        seconds = sum(pace.seconds for pace in paces) / sum(pace.done for pace in paces)
        rest = sum(1 - cell.fraction for cell in self.cells.values())
        return seconds * rest / max(1, self.counts()["running"])

    def basis(self) -> float | None:
        """Return the seconds of training behind the estimate; None once a trial has ended."""
        ended = any(c.pace is not None and c.fraction == 1 for c in self.cells.values())
        return None if ended else max((pace.seconds for pace in self._paces()), default=None)

    def phases(self) -> dict[str, int]:
        """Return the number of running trials in each phase."""
        return Counter(cell.phase for cell in self.cells.values() if cell.state == "running")

    def _paces(self) -> list[Pace]:
        found = [cell.pace for cell in self.cells.values() if cell.pace is not None]
        return [pace for pace in found if pace.done > 0 and pace.seconds >= LEAST_SECONDS]

    def counts(self) -> dict[str, int]:
        """Return the number of trials in each state."""
        states = [cell.state for cell in self.cells.values()]
        return {name: states.count(name) for name in ("done", "running", "failed", "pending")}

    def _cell(self, trial: TrialPlan) -> TrialStatus:
        state = trial.record.state()
        if state == "done":
            return TrialStatus("done", 1.0, primary=self._measured(trial))
        # A failed trial also resumes from its checkpoint, if it has one.
        resumes = trial.record.checkpoint.exists()
        fraction = float(trial.record.last_progress()["fraction"]) if resumes else 0.0
        return TrialStatus("pending", fraction)

    def _measured(self, trial: TrialPlan) -> float | None:
        rows = read_rows(trial.folder / METRICS)
        value = rows[-1].get(self.plan.study.primary) if rows else None
        return None if value is None else float(value)
