"""A panel of means over a number, a line a condition: what several figures are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.axis_limits import fit_axis
from analysis.evaluation import agreed
from analysis.formatting import axis_label, scale
from analysis.frames import StudyResults
from analysis.statistics import mean_interval
from analysis.style import Look, looks
from workbench.metrics import MetricSpec

LEVELS = {"chance": "chance", "oracle": "oracle"}
"""Columns of known levels, and what they are called at the margin."""


def draw_lines(
    axes: Axes, results: StudyResults, metric: MetricSpec, data: pd.DataFrame, over: str,
    levels: Mapping[str, str] = LEVELS, through: Sequence[float] = (),
) -> None:  # fmt: skip
    """A line a condition: its mean over the seeds, a band of the 95 % t interval, dots of seeds.

    Args:
        data: rows of `metric` with condition, trial, `over`, value, chance and oracle.
        over: the column that stands on the x axis.
        levels: columns that hold known levels, and their names; drawn where all rows agree.
        through: values that the y axis has to show.
    """
    data = data.assign(value=data["value"] * scale(metric))
    for name, look in looks(results.conditions).items():
        rows = data[data["condition"] == name]
        if not rows.empty:
            _line(axes, rows.pivot_table(index=over, columns="trial", values="value"), look)
    known = {label: agreed(data[column]) for column, label in levels.items()}
    shown = {label: scale(metric) * value for label, value in known.items() if value is not None}
    values = pd.DataFrame({"value": [*data["value"], *through]})
    fit_axis(axes, "y", metric, values, shown, results=True)
    axes.set_title(axis_label(metric, "↓↑"), loc="left")


def _line(axes: Axes, table: pd.DataFrame, look: Look) -> None:
    """`table`: a row a place on the x axis, a column a trial."""
    bands = [mean_interval(row) for row in table.to_numpy(float)]
    low, high = np.array([[band.low, band.high] for band in bands]).T
    axes.fill_between(table.index, low, high, color=look.color, alpha=0.1, linewidth=0)
    for trial in table:
        axes.scatter(table.index, table[trial], s=6, color=look.color, alpha=0.5, linewidths=0)
    axes.plot(table.index, [band.mean for band in bands], look.line, color=look.color,
              linewidth=1.5, marker=look.marker, markersize=4, markeredgewidth=0)  # fmt: skip
