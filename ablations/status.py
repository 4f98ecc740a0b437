"""Status of every trial while a launch runs; the model behind the displays."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from ablations.plan import Plan, TrialPlan
from workbench.record import METRICS, read_rows


@dataclass
class TrialStatus:
    """Status of one trial."""

    state: str
    """`pending`, `running`, `done` or `failed`."""
    fraction: float = 0.0
    begun_at: float = 0.0
    """Fraction that was done before this launch."""
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
        self.cells[trial.id].state = "running"

    def progressed(
        self, trial: TrialPlan, fraction: float, metrics: Mapping[str, float | None]
    ) -> None:
        """Handle progress of a trial."""
        cell, primary = self.cells[trial.id], self.plan.study.primary
        cell.fraction = fraction
        cell.primary = metrics.get(primary, cell.primary)
        if metrics.get(primary) is not None:
            self.last = f"{trial.label}: {primary} {metrics[primary]:.4g} at {fraction:.0%}"

    def finished(self, trial: TrialPlan, failure: str | None) -> None:
        """Handle the end of a trial."""
        cell = self.cells[trial.id]
        cell.state = "done" if failure is None else "failed"
        cell.fraction = 1.0
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
        done = sum(cell.fraction - cell.begun_at for cell in self.cells.values())
        rest = sum(1 - cell.fraction for cell in self.cells.values())
        return self.elapsed() * rest / done if done > 0.02 else None

    def counts(self) -> dict[str, int]:
        """Return the number of trials in each state."""
        states = [cell.state for cell in self.cells.values()]
        return {name: states.count(name) for name in ("done", "running", "failed", "pending")}

    def _cell(self, trial: TrialPlan) -> TrialStatus:
        state = trial.record.state()
        if state == "done":
            return TrialStatus("done", 1.0, 1.0, self._measured(trial))
        fraction = float(trial.record.last_progress()["fraction"]) if state == "partial" else 0.0
        return TrialStatus("pending", fraction, fraction)

    def _measured(self, trial: TrialPlan) -> float | None:
        rows = read_rows(trial.folder / METRICS)
        value = rows[-1].get(self.plan.study.primary) if rows else None
        return None if value is None else float(value)
