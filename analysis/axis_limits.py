"""The range of an axis, and the known levels named at its margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from analysis.asinh_scale import stretched
from analysis.formatting import decimals, fixed
from analysis.statistics import finite, mean_interval
from analysis.style import DASHES, QUIET
from workbench.metrics import MetricSpec

Side = Literal["x", "y"]
LOG_FROM = 20.0
"""Ratio of largest to smallest value from which an axis is logarithmic."""


def fit_axis(
    axes: Axes, axis: Side, metric: MetricSpec, values: pd.DataFrame,
    levels: Mapping[str, float], ends: Sequence[float] = (), results: bool = False,
) -> None:  # fmt: skip
    """Limits from the trials; log scale where their values span decades.

    Levels and interval ends near the values are taken in; those far off are cut.

    Args:
        results: whether these are what trials came to, which may be told apart near the best value
            there is where some lie far from it.
    """
    data = finite(values)
    low, high = float(data.min()), float(data.max())
    set_scale, set_limits, located = (
        (axes.set_xscale, axes.set_xlim, axes.xaxis) if axis == "x"
        else (axes.set_yscale, axes.set_ylim, axes.yaxis)
    )  # fmt: skip
    if low > 0 and high / low >= LOG_FROM:
        set_scale("log")
        set_limits(low / (high / low) ** 0.12, high * (high / low) ** 0.12)
    elif results and (scale := stretched(metric, data)) is not None:
        set_scale("function", functions=(scale.forward, scale.inverse))
        places = scale.forward(np.array([min(low, scale.best), max(high, scale.best)]))
        room = 0.06 * float(np.ptp(places))
        bottom, top = (float(v) for v in scale.inverse(places + np.array([-room, room])))
        set_limits(bottom, top)
        located.set_major_locator(FixedLocator(scale.ticks(bottom, top)))
        located.set_minor_locator(NullLocator())
        located.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        span = high - low or 0.2 * abs(high) or 1.0
        near = [v for v in (*levels.values(), *ends) if low - span <= v <= high + span]
        bottom, top = min(low - 0.25 * span, *near, low), max(high + 0.25 * span, *near, high)
        room = 0.04 * (top - bottom)
        set_limits(max(bottom, 0.0) - room if low >= 0 else bottom - room,
                   min(top, 100.0) + room if metric.unit == "share" else top + room)  # fmt: skip
        located.set_major_locator(MaxNLocator(nbins=6))
    _draw_levels(axes, axis, levels)


def interval_ends(table: pd.DataFrame) -> list[float]:
    """Bounds of every condition's t interval, where there are any."""
    intervals = [mean_interval(table[name].to_numpy(float)) for name in table]
    return [float(v) for v in finite([[i.low, i.high] for i in intervals])]


def _draw_levels(axes: Axes, axis: Side, levels: Mapping[str, float]) -> None:
    low, high = sorted(axes.get_xlim() if axis == "x" else axes.get_ylim())
    labels = {k: f"{k} {fixed(v, decimals([v], 2, 2))}" for k, v in levels.items()}
    for kind, value in levels.items():
        if low <= value <= high:
            _draw_level(axes, axis, value, labels[kind])
    under = [labels[kind] for kind, value in levels.items() if value < low]
    over = [labels[kind] for kind, value in levels.items() if value > high]
    if under:
        _draw_beyond(axes, axis, 0, under)
    if over:
        _draw_beyond(axes, axis, 1, over)


def _draw_level(axes: Axes, axis: Side, value: float, label: str) -> None:
    """A dashed line at a known level, named in the margin beside its end."""
    place: dict[str, Any] = {"textcoords": "offset points", "fontsize": 6.5, "color": QUIET}
    if axis == "x":
        axes.axvline(value, color=QUIET, linewidth=0.8, linestyle=DASHES, zorder=1)
        axes.annotate(label, (value, 1.0), (0, 2), xycoords=axes.get_xaxis_transform(),
                      ha="center", va="bottom", **place)  # fmt: skip
    else:
        axes.axhline(value, color=QUIET, linewidth=0.8, linestyle=DASHES, zorder=1)
        axes.annotate(label, (1.0, value), (3, 0), xycoords=axes.get_yaxis_transform(),
                      ha="left", va="center", **place)  # fmt: skip


def _draw_beyond(axes: Axes, axis: Side, end: Literal[0, 1], labels: list[str]) -> None:
    """Names of levels that lie beyond one end of an axis, at the corner, with an arrow."""
    arrow = {"x": "←→", "y": "↓↑"}[axis][end]
    separator = "   " if axis == "x" else "\n"
    text = separator.join(f"{label} {arrow}" for label in labels)
    at, offset = ((end, 1.0), (0, 11)) if axis == "x" else ((1.0, end), (3, 0 if end else -6))
    axes.annotate(
        text, at, offset, xycoords="axes fraction", textcoords="offset points", fontsize=6.5,
        color=QUIET, ha="right" if axis == "x" and end else "left",
        va="bottom" if axis == "x" else "top",
    )  # fmt: skip
