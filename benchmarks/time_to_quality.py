"""Seconds of training on one core until presets reach a decision quality.

    python -m benchmarks.time_to_quality [--presets muzero muzero_cartpole] [--seeds 5]

A mark is reached at the first measurement that shows it, at the checkpoint of that moment, or at
the third such measurement in a row if it says so. Time for measuring is not counted. Finished
trials are read, not run again.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from workbench.config import read_trial
from workbench.documents import wrap
from workbench.errors import SourceLocation
from workbench.record import METRICS, RESULT, TIMING, read_rows
from workbench.trial import run_trial


@dataclass(frozen=True)
class Mark:
    """A metric between two bounds, for a number of measurements in a row."""

    name: str
    metric: str
    least: float = -inf
    most: float = inf
    in_a_row: int = 1

    def reached(self, rows: Sequence[dict[str, Any]], seconds: Sequence[float]) -> float:
        """Return the second at which the mark is reached; infinite if never."""
        run = 0
        for row, second in zip(rows, seconds, strict=True):
            run = run + 1 if self.least <= row[self.metric] <= self.most else 0
            if run >= self.in_a_row:
                return second
        return inf


MARKS = {
    "muzero": (
        Mark("97 % optimal", "decision/search_optimal_rate", least=0.97),
        Mark("3 x no losing line", "decision/losing_lines", most=0, in_a_row=3),
    ),
    "muzero_cartpole": (Mark("return of 475", "decision/search_return", least=475),),
}
"""For each preset, its marks; the first one's metric is also shown at the last measurement."""

OVERLAYS: dict[str, dict[str, Any]] = {
    "muzero": {
        "evaluate_every": 100,
        "measures.predictive": None,
        "procedure.steps": 300_000,
    }
}
"""Overrides: frequent measurements, and training that continues long after the marks."""


def measure(preset: str, seeds: int, output: Path) -> None:
    """Measure a preset and return the seconds at its marks."""
    marks = MARKS[preset]
    shown = marks[0].metric
    heads = "".join(f"{mark.name:>20}" for mark in marks)
    print(f"{preset}\n{'seed':>6}{heads}{'end after':>12}  {shown} at the end")
    found = []
    for seed in range(seeds):
        folder = output / f"{preset}_{seed}"
        document = {"preset": preset, "seed": seed} | OVERLAYS.get(preset, {})
        before = "  (of an earlier run)" if (folder / RESULT).exists() else ""
        run_trial(read_trial(wrap(document, SourceLocation("benchmark"))), folder)
        rows = read_rows(folder / METRICS)
        seconds = [timing["cpu_seconds"] for timing in read_rows(folder / TIMING)]
        found.append((*(mark.reached(rows, seconds) for mark in marks), rows[-1][shown]))
        cells = "".join(f"{second:>18.1f} s" for second in found[-1][:-1])
        print(f"{seed:>6}{cells}{seconds[-1]:>10.0f} s  {found[-1][-1]:.4g}{before}", flush=True)
    *medians, last = (statistics.median(column) for column in zip(*found, strict=True))
    cells = "".join(f"{median:>18.1f} s" for median in medians)
    print(f"{'median':>6}{cells}{'':>12}  {last:.4g}")


def main() -> None:
    """Run the command line."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--presets", nargs="+", choices=[*MARKS], default=[*MARKS])
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--output", type=Path, default=Path("outputs/time_to_quality"))
    options = arguments.parse_args()
    for preset in options.presets:
        measure(preset, options.seeds, options.output)


if __name__ == "__main__":
    main()
