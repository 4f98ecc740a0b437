"""Figures over what an agent is given: simulations of a search, sights of the true state."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from analysis.frames import StudyResults
from analysis.legend import condition_legend, finished_seeds
from analysis.line_panel import LEVELS, draw_lines
from analysis.style import PAGE, new_figure, styled
from workbench.metrics import METRICS

NO_SEARCH = {"chance": "no search"}
BUDGET = {
    "decision/search_regret": LEVELS,
    "decision/planning_gain": NO_SEARCH,
    "decision/worsened": NO_SEARCH,
}
NAMED = 5
"""Ticks that have room for their numbers; of more, every second has its own."""
BLINDFOLD = ("decision/blindfold_return", "decision/blindfold_score")


def search_budget(results: StudyResults) -> Figure | None:
    """Regret, what the search gains on the prior, and what it makes worse, over simulations."""
    data = {name: _rows(results, name, "simulations") for name in BUDGET}
    data = {name: rows for name, rows in data.items() if not rows.empty}
    if not data:
        return None
    with styled():
        figure = new_figure(PAGE, 2.7)
        panels = figure.subplots(1, len(data), squeeze=False).ravel()
        for axes, (name, rows) in zip(panels, data.items(), strict=True):
            draw_lines(axes, results, METRICS[name], rows, "simulations", BUDGET[name], (0.0,))
            _space(axes, rows["simulations"])
        figure.supxlabel("simulations of the search; at 0 the prior decides alone")
        condition_legend(figure, results, finished_seeds(pd.concat(data.values())))
    return figure


def blindfold(results: StudyResults) -> Figure | None:
    """Score or return of play that sees the true state at every n-th step only."""
    data = {name: _rows(results, name, "every") for name in BLINDFOLD}
    data = {name: rows for name, rows in data.items() if not rows.empty}
    if not data:
        return None
    with styled():
        figure = new_figure(PAGE * (0.5 + 0.25 * len(data)), 2.7)
        panels = figure.subplots(1, len(data), squeeze=False).ravel()
        for axes, (name, rows) in zip(panels, data.items(), strict=True):
            draw_lines(axes, results, METRICS[name], rows, "every")
            _space(axes, rows["every"])
        figure.supxlabel("n: the true state is seen at every n-th step; between, it is imagined")
        condition_legend(figure, results, finished_seeds(pd.concat(data.values())))
    return figure


def _rows(results: StudyResults, metric: str, over: str) -> pd.DataFrame:
    data = results.evaluation
    return data[data["metric"] == metric].dropna(subset=[over, "value"])


def _space(axes: Axes, places: pd.Series[float]) -> None:
    """A tick a measured number, spaced by log(1 + n): 0 has a place too."""
    axes.set_xscale("function", functions=(np.log1p, np.expm1))
    ticks = sorted(places.unique())
    first, last = np.log1p(ticks[0]), np.log1p(ticks[-1])
    room = 0.05 * (last - first) or 0.1
    axes.set_xlim(np.expm1(first - room), np.expm1(last + room))
    every = 1 if len(ticks) <= NAMED else 2
    axes.set_xticks(ticks, [f"{t:g}" if i % every == 0 else "" for i, t in enumerate(ticks)])
    axes.xaxis.set_minor_locator(NullLocator())
