"""When the `muzero` preset decides well on tic-tac-toe, in seconds of training on one core.

    python -m benchmarks.time_to_quality [--seeds 3] [--output outputs/time_to_quality]

Two marks, each by the checkpoint as it is at that moment: 97 % optimal moves over all positions,
and the third evaluation in a row without a losing line. Evaluation time is not counted. Trials
that are done already are read, not run again.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from workbench.config import read_trial
from workbench.documents import wrap
from workbench.errors import Place
from workbench.record import METRICS, TIMING, read_rows
from workbench.trial import run_trial


def marks(folder: Path) -> tuple[float, float]:
    """Seconds to 97 % and to the third flawless evaluation in a row; infinite where never."""
    optimal = flawless = float("inf")
    clean = 0
    rows = zip(read_rows(folder / METRICS), read_rows(folder / TIMING), strict=True)
    for row, timing in rows:
        if row["decision/search_optimal_rate"] >= 0.97:
            optimal = min(optimal, timing["seconds"])
        clean = clean + 1 if row["decision/losing_lines"] == 0 else 0
        if clean >= 3:
            flawless = min(flawless, timing["seconds"])
    return optimal, flawless


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--output", type=Path, default=Path("outputs/time_to_quality"))
    options = arguments.parse_args()
    found = []
    print(f"{'seed':>4} {'97 % optimal':>14} {'3 x flawless':>14} {'optimal at the end':>20}")
    for seed in range(options.seeds):
        folder = options.output / f"seed_{seed}"
        config = read_trial(wrap({"preset": "muzero", "seed": seed}, Place("benchmark")))
        result = run_trial(config, folder)
        found.append(marks(folder))
        last = result["metrics"]["decision/search_optimal_rate"]
        optimal, flawless = found[-1]
        print(f"{seed:>4} {optimal:>12.1f} s {flawless:>12.1f} s {last:>20.2%}", flush=True)
    medians = [statistics.median(times) for times in zip(*found, strict=True)]
    print(f"median {medians[0]:>10.1f} s {medians[1]:>12.1f} s")


if __name__ == "__main__":
    main()
