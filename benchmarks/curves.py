"""Learning curve of trials that differ in their seed only, as a table and a figure.

    python -m benchmarks.curves FOLDER... --metric decision/search_return --into docs/results/NAME

Writes `NAME/curve.csv`, one row per measurement, and `NAME/curve.png`: every seed, their mean and
its 95 % t interval over processor hours of training. `--level "random=0.5"` adds a reference line
and can be repeated. The mean ends where the first trial ends.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.statistics import mean_interval
from analysis.style import COLUMN, DASHES, QUIET, styled
from workbench.config import read_trial
from workbench.documents import load
from workbench.errors import WorkbenchError
from workbench.record import CONFIG, METRICS, TIMING, read_rows

SECONDS = 3600
CLOCKS = ("seconds", "cpu_seconds")


def curves(folders: Sequence[Path], metrics: Sequence[str]) -> pd.DataFrame:
    """Return [measurements] with seed, clocks, steps, updates and metrics of every trial.

    Raises:
        WorkbenchError: a folder holds no trial, or one that never measured a metric.
    """
    tables = []
    for folder in folders:
        if not (folder / METRICS).exists():
            raise WorkbenchError(f"{folder}: holds no trial that was begun")
        rows = pd.DataFrame(read_rows(folder / METRICS))
        timing = pd.DataFrame(read_rows(folder / TIMING))
        missing = [name for name in metrics if name not in rows]
        if missing:
            raise WorkbenchError(f"{folder}: measured no {', '.join(missing)}")
        clocks = timing[[name for name in CLOCKS if name in timing]]
        seed = read_trial(load(folder / CONFIG)).seed
        table = pd.concat([clocks, rows[["step", "updates", *metrics]]], axis=1)
        table.insert(0, "seed", seed)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def draw(found: pd.DataFrame, metric: str, levels: Mapping[str, float], file: Path) -> None:
    """Draw each seed thin, the mean thick with its band, and levels dashed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    hours = found.assign(hour=found["cpu_seconds"] / SECONDS)
    with styled():
        figure = Figure(figsize=(1.4 * COLUMN, COLUMN), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        trials = [trial for _, trial in hours.groupby("seed")]
        for trial in trials:
            axes.plot(trial["hour"], trial[metric], color="C0", linewidth=0.6, alpha=0.6)
        end = min(float(trial["hour"].max()) for trial in trials)
        at = np.linspace(0.0, end, 60)
        values = np.array([np.interp(at, trial["hour"], trial[metric]) for trial in trials])
        bands = [mean_interval(column) for column in values.T]
        low, high = np.array([[band.low, band.high] for band in bands]).T
        axes.fill_between(at, np.maximum(low, 0), high, color="C0", alpha=0.15, linewidth=0)
        axes.plot(at, values.mean(0), color="C0", linewidth=1.8)
        for name, level in levels.items():
            axes.axhline(level, color=QUIET, linewidth=0.9, linestyle=DASHES)
            axes.annotate(f"{name}: {level:g}", (end, level), ha="right", va="bottom", color=QUIET)
        axes.set_xlabel("hours of one processor, training only")
        axes.set_ylabel(metric.split("/")[-1].replace("_", " "))
        axes.set_xlim(0, end)
        axes.set_ylim(bottom=0)
        figure.savefig(file, dpi=160, metadata={"Software": None})


def _level(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    return name, float(value)


def main() -> None:
    """Run the command line."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("folders", type=Path, nargs="+", help="trials of several seeds")
    arguments.add_argument("--metric", required=True, help="what is drawn")
    arguments.add_argument("--also", nargs="*", default=[], help="metrics of the table only")
    arguments.add_argument("--level", type=_level, action="append", default=[])
    arguments.add_argument("--into", type=Path, required=True)
    options = arguments.parse_args()
    found = curves(options.folders, [options.metric, *options.also])
    options.into.mkdir(parents=True, exist_ok=True)
    found.round(6).to_csv(options.into / "curve.csv", index=False)
    draw(found, options.metric, dict(options.level), options.into / "curve.png")
    print(found.groupby("seed").tail(1).to_string(index=False))


if __name__ == "__main__":
    main()
