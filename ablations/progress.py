"""Display of a running launch: a live matrix on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from ablations.plan import Plan, TrialPlan
from ablations.preview import duration
from ablations.status import TRAINING, StudyStatus, TrialStatus

SUMMARY_SECONDS = 30.0
STYLES = {"pending": "dim", "running": "cyan", "done": "green", "failed": "bold red"}


class MatrixDisplay(StudyStatus):
    """Live matrix of conditions by seeds, redrawn four times a second."""

    def __rich__(self) -> Group:
        study = self.plan.study
        by_place = {(t.condition, t.seed): self.cells[t.id] for t in self.plan.trials}
        table = Table(box=None, pad_edge=False)
        table.add_column("condition \\ seed", overflow="fold")
        for seed in study.seeds:
            table.add_column(str(seed), justify="right")
        for condition in study.conditions:
            cells = [_drawn(by_place[condition.name, seed]) for seed in study.seeds]
            table.add_row(Text(condition.name), *cells)
        line = f"{study.primary} where done; {summary(self)}"
        return Group(table, Text(line), Text(activity(self)), Text(self.last))


def _drawn(cell: TrialStatus) -> Text:
    texts = {
        "pending": "-" if not cell.fraction else f"{cell.fraction:.0%} -",
        "running": f"{cell.fraction:.0%}",
        "failed": "failed",
        "done": "done" if cell.primary is None else f"{cell.primary:.3g}",
    }
    return Text(texts[cell.state], STYLES[cell.state])


class LineDisplay(StudyStatus):
    """Prints a line when a trial starts or ends, and a summary at intervals."""

    def __init__(self, plan: Plan, console: Console) -> None:
        super().__init__(plan)
        self._console = console
        self._summed = time.monotonic()
        self._trained = False

    @override
    def started(self, trial: TrialPlan) -> None:
        super().started(trial)
        self._print(f"start  {trial.id}  {trial.label}")

    @override
    def progressed(
        self, trial: TrialPlan, phase: str, fraction: float, metrics: Mapping[str, float | None]
    ) -> None:
        before = self.cells[trial.id].phase
        super().progressed(trial, phase, fraction, metrics)
        if not self._trained and phase != before:  # later trials go through the same phases
            self._print(f"       {trial.id}  {phase}")
            self._trained = phase == TRAINING
        if time.monotonic() - self._summed >= SUMMARY_SECONDS:
            self._summed = time.monotonic()
            last = f"; last: {self.last}" if self.last else ""
            self._print(f"{summary(self)}; {activity(self)}{last}")

    @override
    def finished(self, trial: TrialPlan, failure: str | None) -> None:
        super().finished(trial, failure)
        self._print(f"{'done  ' if failure is None else 'FAILED'} {trial.id}  {self.last}")

    def _print(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)
        self._console.file.flush()


def summary(board: StudyStatus) -> str:
    """Return counts, elapsed time and time left in one line."""
    counted = ", ".join(f"{n} {state}" for state, n in board.counts().items() if n)
    left = board.left()
    rest = ""
    if left is not None and board.counts()["running"]:
        basis = board.basis()
        source = "" if basis is None else f" (estimate from the first {basis:.0f} s of training)"
        rest = f", about {duration(left)} left{source}"
    return f"{counted}; {duration(board.elapsed())} passed{rest}"


def activity(board: StudyStatus) -> str:
    """Return what the running trials do, in one line."""
    phases = ", ".join(f"{n} {phase}" for phase, n in board.phases().items())
    return f"now: {phases}" if phases else ""


@contextmanager
def display(plan: Plan, console: Console) -> Iterator[StudyStatus]:
    """Context manager: show the display that suits the console."""
    if not console.is_terminal:
        yield LineDisplay(plan, console)
        return
    matrix = MatrixDisplay(plan)
    with Live(matrix, console=console, redirect_stdout=False, redirect_stderr=False):
        yield matrix
