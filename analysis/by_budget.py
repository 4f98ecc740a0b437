"""Figures over a budget at play time: search simulations, or the observation interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from analysis.frames import StudyResults
from analysis.legend import condition_legend, finished_seeds
from analysis.line_panel import LEVELS, draw_line_panel
from analysis.style import PAGE, panel_grid, styled
from workbench.metrics import METRICS

NO_SEARCH = {"naive": "no search"}
BUDGET_METRICS = {
    "decision/search_regret": LEVELS,
    "decision/planning_gain": NO_SEARCH,
    "decision/worsened_rate": NO_SEARCH,
}
MAX_LABELLED_TICKS = 5
"""Largest number of ticks that are all labelled; with more, every second one is."""
OPEN_LOOP = ("decision/open_loop_return", "decision/open_loop_score")


def search_budget(results: StudyResults, width: float = PAGE) -> Figure | None:
    """Draw regret, planning gain and the share of worsened decisions over search simulations."""
    data = {name: _rows(results, name, "simulations") for name in BUDGET_METRICS}
    data = {name: rows for name, rows in data.items() if not rows.empty}
    if not data:
        return None
    with styled():
        figure, panels = panel_grid(len(data), 3, width)
        for axes, (name, rows) in zip(panels, data.items(), strict=True):
            draw_line_panel(
                axes, results, METRICS[name], rows, "simulations", BUDGET_METRICS[name], (0.0,)
            )
            _set_log1p_axis(axes, rows["simulations"])
        figure.supxlabel("search simulations (0: the policy prior alone)")
        condition_legend(figure, results, finished_seeds(pd.concat(data.values())))
    return figure


def open_loop_play(results: StudyResults, width: float = PAGE) -> Figure | None:
    """Draw the score or return of open-loop play over the observation interval."""
    data = {name: _rows(results, name, "interval") for name in OPEN_LOOP}
    data = {name: rows for name, rows in data.items() if not rows.empty}
    if not data:
        return None
    with styled():
        figure, panels = panel_grid(len(data), 2, width)
        for axes, (name, rows) in zip(panels, data.items(), strict=True):
            draw_line_panel(axes, results, METRICS[name], rows, "interval")
            _set_log1p_axis(axes, rows["interval"])
        figure.supxlabel("observation interval: every n-th state is observed")
        condition_legend(figure, results, finished_seeds(pd.concat(data.values())))
    return figure


def _rows(results: StudyResults, metric: str, coordinate: str) -> pd.DataFrame:
    data = results.evaluation
    return data[data["metric"] == metric].dropna(subset=[coordinate, "value"])


def _set_log1p_axis(axes: Axes, measured: pd.Series[float]) -> None:
    """Scale the x axis by log(1 + n), which includes 0, with one tick per measured n."""
    axes.set_xscale("function", functions=(np.log1p, np.expm1))
    ticks = sorted(measured.unique())
    first, last = np.log1p(ticks[0]), np.log1p(ticks[-1])
    margin = 0.05 * (last - first) or 0.1
    axes.set_xlim(np.expm1(first - margin), np.expm1(last + margin))
    stride = 1 if len(ticks) <= MAX_LABELLED_TICKS else 2
    axes.set_xticks(ticks, [f"{t:g}" if i % stride == 0 else "" for i, t in enumerate(ticks)])
    axes.xaxis.set_minor_locator(NullLocator())
