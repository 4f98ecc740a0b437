"""Limits and scale of an axis, with reference levels labelled at its margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from analysis.asinh_scale import fit_asinh_scale
from analysis.formatting import decimal_places, format_number
from analysis.statistics import finite, mean_interval
from analysis.style import DASHES, QUIET
from workbench.metrics import MetricSpec

Side = Literal["x", "y"]
MIN_LOG_RATIO = 20.0
"""Smallest ratio of the largest to the smallest value that makes an axis logarithmic."""
BESIDE_TICK = 14
"""Distance in points that clears the label of a tick at the end of the axis."""


def fit_axis(
    axes: Axes, axis: Side, metric: MetricSpec, values: pd.DataFrame,
    levels: Mapping[str, float], ends: Sequence[float] = (), allow_asinh: bool = False,
) -> None:  # fmt: skip
    """Set scale, limits and ticks from trial values, and draw the reference levels.

    The scale is logarithmic if the values span decades. The limits include levels and interval
    ends near the values; those farther away are cut off.

    Args:
        axes: the panel.
        axis: the axis to set.
        metric: metric of the values; its unit bounds the axis.
        values: trial values in display units; NaN is ignored.
        levels: reference levels by name, in display units.
        ends: bounds of intervals that the axis should include if they are near.
        allow_asinh: whether an asinh scale may separate values near the optimum when others are
            far from it; meant for final results.
    """
    data = finite(values)
    low, high = float(data.min()), float(data.max())
    set_scale, set_limits, mpl_axis = (
        (axes.set_xscale, axes.set_xlim, axes.xaxis) if axis == "x"
        else (axes.set_yscale, axes.set_ylim, axes.yaxis)
    )  # fmt: skip
    if low > 0 and high / low >= MIN_LOG_RATIO:
        set_scale("log")
        set_limits(low / (high / low) ** 0.12, high * (high / low) ** 0.12)
    elif allow_asinh and (scale := fit_asinh_scale(metric, data)) is not None:
        set_scale("function", functions=(scale.forward, scale.inverse))
        ends_on_axis = scale.forward(np.array([min(low, scale.best), max(high, scale.best)]))
        margin = 0.06 * float(np.ptp(ends_on_axis))
        bottom, top = (float(v) for v in scale.inverse(ends_on_axis + np.array([-margin, margin])))
        set_limits(bottom, top)
        mpl_axis.set_major_locator(FixedLocator(scale.ticks(bottom, top)))
        mpl_axis.set_minor_locator(NullLocator())
        mpl_axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        span = high - low or 0.2 * abs(high) or 1.0
        near = [v for v in (*levels.values(), *ends) if low - span <= v <= high + span]
        bottom, top = min(low - 0.25 * span, *near, low), max(high + 0.25 * span, *near, high)
        margin = 0.04 * (top - bottom)
        set_limits(max(bottom, 0.0) - margin if low >= 0 else bottom - margin,
                   min(top, 100.0) + margin
                   if metric.unit == "share" else top + margin)  # fmt: skip
        mpl_axis.set_major_locator(MaxNLocator(nbins=6))
    _draw_levels(axes, axis, levels)


def interval_ends(table: pd.DataFrame) -> list[float]:
    """Return the finite bounds of the t interval of every column, one column per condition."""
    intervals = [mean_interval(table[name].to_numpy(float)) for name in table]
    return [float(v) for v in finite([[i.low, i.high] for i in intervals])]


def _draw_levels(axes: Axes, axis: Side, levels: Mapping[str, float]) -> None:
    low, high = sorted(axes.get_xlim() if axis == "x" else axes.get_ylim())
    labels = {k: f"{k} {format_number(v, decimal_places([v], 2, 2))}" for k, v in levels.items()}
    for kind, value in levels.items():
        if low <= value <= high:
            _draw_level(axes, axis, value, labels[kind])
    below = [labels[kind] for kind, value in levels.items() if value < low]
    above = [labels[kind] for kind, value in levels.items() if value > high]
    if below:
        _draw_offscale_levels(axes, axis, 0, below)
    if above:
        _draw_offscale_levels(axes, axis, 1, above)


def _draw_level(axes: Axes, axis: Side, value: float, label: str) -> None:
    """Draw a dashed line at a reference level and label it in the margin."""
    text_style: dict[str, Any] = {"textcoords": "offset points", "fontsize": 6.5, "color": QUIET}
    if axis == "x":
        axes.axvline(value, color=QUIET, linewidth=0.8, linestyle=DASHES, zorder=1)
        axes.annotate(label, (value, 1.0), (0, 2), xycoords=axes.get_xaxis_transform(),
                      ha="center", va="bottom", **text_style)  # fmt: skip
    else:
        axes.axhline(value, color=QUIET, linewidth=0.8, linestyle=DASHES, zorder=1)
        axes.annotate(label, (1.0, value), (3, 0), xycoords=axes.get_yaxis_transform(),
                      ha="left", va="center", **text_style)  # fmt: skip


def _draw_offscale_levels(axes: Axes, axis: Side, end: Literal[0, 1], labels: list[str]) -> None:
    """Name the levels beyond one end of an axis in its corner, each with an arrow."""
    arrow = {"x": "←→", "y": "↓↑"}[axis][end]
    separator = "   " if axis == "x" else "\n"
    text = separator.join(f"{label} {arrow}" for label in labels)
    beside = (3, 0) if end else (BESIDE_TICK, -6)
    at, offset = ((end, 1.0), (0, 11)) if axis == "x" else ((1.0, end), beside)
    axes.annotate(
        text, at, offset, xycoords="axes fraction", textcoords="offset points", fontsize=6.5,
        color=QUIET, ha="right" if axis == "x" and end else "left",
        va="bottom" if axis == "x" else "top",
    )  # fmt: skip
