"""The display of a running launch: a live matrix on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ablations.plan import Plan, TrialPlan
from ablations.preview import duration
from ablations.status import Board, Cell

SUMMARY_SECONDS = 30.0
STYLES = {"pending": "dim", "running": "cyan", "done": "green", "failed": "bold red"}


class Matrix(Board):
    """Conditions down, seeds across; drawn anew four times a second."""

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
        return Group(table, Text(f"{study.primary} where done; {summary(self)}"), Text(self.last))


def _drawn(cell: Cell) -> Text:
    texts = {
        "pending": "-" if not cell.fraction else f"{cell.fraction:.0%} -",
        "running": f"{cell.fraction:.0%}",
        "failed": "failed",
        "done": "done" if cell.primary is None else f"{cell.primary:.3g}",
    }
    return Text(texts[cell.state], STYLES[cell.state])


class Lines(Board):
    """A line when a trial starts and ends, and now and then a summary."""

    def __init__(self, plan: Plan, console: Console) -> None:
        super().__init__(plan)
        self._console = console
        self._summed = time.monotonic()

    def started(self, trial: TrialPlan) -> None:
        super().started(trial)
        self._print(f"start  {trial.id}  {trial.label}")

    def progressed(
        self, trial: TrialPlan, fraction: float, metrics: Mapping[str, float | None]
    ) -> None:
        super().progressed(trial, fraction, metrics)
        if time.monotonic() - self._summed >= SUMMARY_SECONDS:
            self._summed = time.monotonic()
            self._print(f"{summary(self)}; last: {self.last}")

    def finished(self, trial: TrialPlan, failure: str | None) -> None:
        super().finished(trial, failure)
        self._print(f"{'done  ' if failure is None else 'FAILED'} {trial.id}  {self.last}")

    def _print(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)
        self._console.file.flush()


def summary(board: Board) -> str:
    """Counts, time passed and time left on one line."""
    counted = ", ".join(f"{n} {state}" for state, n in board.counts().items() if n)
    left = board.left()
    rest = (
        f", about {duration(left)} left" if left is not None and board.counts()["running"] else ""
    )
    return f"{counted}; {duration(board.elapsed())} passed{rest}"


@contextmanager
def display(plan: Plan, console: Console) -> Iterator[Board]:
    """The display that suits the console, for as long as it is entered."""
    if not console.is_terminal:
        yield Lines(plan, console)
        return
    matrix = Matrix(plan)
    with Live(matrix, console=console, redirect_stdout=False, redirect_stderr=False):
        yield matrix
