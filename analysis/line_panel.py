"""A panel with one line per condition, used by several figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.axis_limits import fit_axis
from analysis.evaluation import common_level
from analysis.formatting import axis_label, display_factor
from analysis.frames import StudyResults
from analysis.statistics import mean_interval
from analysis.style import ConditionStyle, condition_styles
from workbench.metrics import MetricSpec

LEVELS = {"naive": "naive", "oracle": "oracle"}
"""Columns of reference levels, and their labels at the margin."""


def draw_line_panel(
    axes: Axes, results: StudyResults, metric: MetricSpec, data: pd.DataFrame, x: str,
    levels: Mapping[str, str] = LEVELS, include: Sequence[float] = (),
) -> None:  # fmt: skip
    """Draw per condition the mean over seeds, the 95 % t interval as a band, and seeds as dots.

    Args:
        axes: the panel.
        results: the study, which gives the conditions.
        metric: metric on the y axis.
        data: rows of `metric` with columns condition, trial, `x`, value, naive and oracle.
        x: column on the x axis.
        levels: columns of reference levels and their labels; drawn if all rows agree.
        include: values that the y axis must include.
    """
    data = data.assign(value=data["value"] * display_factor(metric))
    for name, style in condition_styles(results.conditions).items():
        rows = data[data["condition"] == name]
        if not rows.empty:
            _line(axes, rows.pivot_table(index=x, columns="trial", values="value"), style)
    known = {label: common_level(data[column]) for column, label in levels.items()}
    shown = {
        label: display_factor(metric) * value for label, value in known.items() if value is not None
    }
    values = pd.DataFrame({"value": [*data["value"], *include]})
    fit_axis(axes, "y", metric, values, shown, allow_asinh=True)
    axes.set_title(axis_label(metric, "↓↑"), loc="left")


def _line(axes: Axes, table: pd.DataFrame, style: ConditionStyle) -> None:
    """Draw one condition from a table with one row per x value and one column per trial."""
    intervals = [mean_interval(row) for row in table.to_numpy(float)]
    low, high = np.array([[interval.low, interval.high] for interval in intervals]).T
    axes.fill_between(table.index, low, high, color=style.color, alpha=0.1, linewidth=0)
    for trial in table:
        axes.scatter(table.index, table[trial], s=6, color=style.color, alpha=0.5, linewidths=0)
    axes.plot(table.index, [interval.mean for interval in intervals], style.line, color=style.color,
              linewidth=1.5, marker=style.marker, markersize=4, markeredgewidth=0)  # fmt: skip
