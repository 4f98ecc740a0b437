"""All figures of a study by name; this module draws those of its two main metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from analysis.axis_limits import Side, fit_axis, interval_ends
from analysis.by_budget import open_loop_play, search_budget
from analysis.by_depth import depth_error_by_source, error_by_depth, flip_rate
from analysis.formatting import (
    axis_label,
    difference_unit,
    display_factor,
    format_number,
    resolve_metric,
    title_in_sentence,
)
from analysis.frames import StudyResults
from analysis.gallery import gallery
from analysis.legend import condition_legend
from analysis.paired_comparisons import Comparison, compare, compared_metrics, difference_places
from analysis.statistics import Floats, finite, mean_interval
from analysis.style import (
    CHARACTER,
    INK,
    PAGE,
    ConditionStyle,
    condition_styles,
    label,
    new_figure,
    panel_grid,
    styled,
)
from analysis.waterfall import regret_waterfall
from workbench.metrics import MetricSpec


def draw_figures(results: StudyResults, width: float = PAGE) -> dict[str, Figure]:
    """Draw every figure that the results allow; keys are file names without suffix.

    No figure is wider than `width`, in inches; font sizes do not depend on it.
    """
    draw: list[Callable[[StudyResults, float], Figure | None]] = [
        accuracy_and_decisions, learning_curves, error_by_depth, depth_error_by_source,
        search_budget, regret_waterfall, flip_rate, open_loop_play, gallery, paired_differences,
    ]  # fmt: skip
    drawn = {function.__name__: function(results, width) for function in draw}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def accuracy_and_decisions(results: StudyResults, width: float = PAGE) -> Figure | None:
    """Draw one point per trial and, per condition, the mean with t intervals on both axes."""
    x, y = resolve_metric(results.study["predictive"]), resolve_metric(results.study["primary"])
    xs, ys = _shown(results, x), _shown(results, y)
    both = xs.notna() & ys.notna()
    if not both.to_numpy().any():
        return None
    with styled():
        wide = len(results.conditions) > 5 or width < PAGE
        figure = new_figure(width if wide else width * 0.72, 3.5)
        axes = figure.add_subplot()
        for name, style in condition_styles(results.conditions).items():
            known = both[name]
            _draw_condition(axes, finite(xs.loc[known, name]), finite(ys.loc[known, name]), style)
        sides: list[tuple[Side, MetricSpec, pd.DataFrame]] = [("x", x, xs), ("y", y, ys)]
        for side, metric, values in sides:
            shown, levels = values.where(both), _levels(results, metric)
            fit_axis(axes, side, metric, shown, levels, interval_ends(shown), allow_asinh=True)
        axes.set_xlabel(axis_label(x))
        axes.set_ylabel(axis_label(y))
        condition_legend(figure, results, both.sum())
    return figure


def learning_curves(results: StudyResults, width: float = PAGE) -> Figure | None:
    """Draw the primary and the predictive metric over environment steps."""
    drawn = set(results.curves.dropna(subset=["value"])["metric"])
    names = [results.study[key] for key in ("primary", "predictive")]
    metrics = [resolve_metric(name) for name in names if name in drawn]
    if not metrics:
        return None
    with styled():
        figure, panels = panel_grid(len(metrics), 2, width)
        for axes, metric in zip(panels, metrics, strict=True):
            curves = results.curves[results.curves["metric"] == metric.name]
            curves = curves.assign(value=curves["value"] * display_factor(metric)).dropna(
                subset=["value"]
            )
            for name, style in condition_styles(results.conditions).items():
                _draw_curve(axes, curves[curves["condition"] == name], style)
            fit_axis(axes, "y", metric, curves[["value"]], _levels(results, metric))
            axes.set_xlabel("environment steps")
            axes.xaxis.set_major_formatter(FuncFormatter(_short))
            axes.set_ylabel(axis_label(metric))
        condition_legend(figure, results, results.done.groupby("condition").size())
    return figure


def paired_differences(results: StudyResults, width: float = PAGE) -> Figure | None:
    """Draw a forest plot: mean difference, t interval and seeds of each comparison."""
    families = [compare(results, name) for name in compared_metrics(results)]
    if not any(c.test.differences.size for family in families for c in family):
        return None
    with styled():
        labels = [_comparison_label(comparison, 0.3 * width) for comparison in families[0]]
        row_height = max(0.42, 0.18 + 0.125 * max(text.count("\n") + 1 for text in labels))
        stacked = len(families) if width < PAGE else 1
        figure = new_figure(width, stacked * (0.75 + row_height * len(labels)))
        panels = figure.subplots(
            stacked, len(families) // stacked, sharey=True, squeeze=False
        ).ravel()
        for axes, family in zip(panels, families, strict=True):
            _draw_forest(axes, family, condition_styles(results.conditions))
            axes.set_yticks(range(len(labels)), labels)
        panels[0].set_ylim(len(labels) - 0.4, -0.6)
    return figure


def _comparison_label(comparison: Comparison, inches: float) -> str:
    """Return `against − baseline`; on a line each if this is wider than `inches`."""
    font = 7
    if len(comparison.label) * font * CHARACTER <= inches:
        return label(comparison.label)
    against, baseline = comparison.against, f"− {comparison.baseline}"
    return f"{label(against, inches, font)}\n{label(baseline, inches, font)}"


def _shown(results: StudyResults, metric: MetricSpec) -> pd.DataFrame:
    return results.by_seed(metric.name) * display_factor(metric)


def _draw_condition(axes: Axes, x: Floats, y: Floats, style: ConditionStyle) -> None:
    """Draw trials as small filled markers, and their mean as a large open marker."""
    if not x.size:
        return
    mean_x, mean_y = mean_interval(x), mean_interval(y)
    bars: dict[str, Any] = {
        "color": style.color,
        "linewidth": 1.2,
        "solid_capstyle": "butt",
        "zorder": 3,
    }
    axes.plot([mean_x.low, mean_x.high], [mean_y.mean, mean_y.mean], marker="|", **bars)
    axes.plot([mean_x.mean, mean_x.mean], [mean_y.low, mean_y.high], marker="_", **bars)
    axes.plot(mean_x.mean, mean_y.mean, style.marker, color=style.color, markersize=9,
              markerfacecolor="white", markeredgewidth=1.6, zorder=4)  # fmt: skip
    axes.scatter(x, y, s=17, marker=style.marker, color=style.color, alpha=0.75,
                 edgecolors="white", linewidths=0.4, zorder=5)  # fmt: skip


def _draw_curve(axes: Axes, data: pd.DataFrame, style: ConditionStyle) -> None:
    """Draw mean and band of the finished trials; the others are dotted and end in a cross."""
    for (_, state), trial in data.groupby(["trial", "state"], sort=False):
        done = state == "done"
        axes.plot(trial["step"], trial["value"], color=style.color, linewidth=0.6, alpha=0.5,
                  linestyle="-" if done else ":")  # fmt: skip
        if not done:
            axes.plot(trial["step"].iloc[-1:], trial["value"].iloc[-1:], "x", color=style.color)
    table = data[data["state"] == "done"].pivot_table(
        index="step", columns="trial", values="value", aggfunc="last"
    )
    if table.empty:
        return
    table = table.interpolate(method="index", limit_area="inside").dropna()
    intervals = [mean_interval(row) for row in table.to_numpy(float)]
    low, high = np.array([[interval.low, interval.high] for interval in intervals]).T
    axes.fill_between(table.index, low, high, color=style.color, alpha=0.15, linewidth=0)
    axes.plot(table.index, [interval.mean for interval in intervals], style.line, color=style.color,
              linewidth=1.8, marker=style.marker, markersize=3.5, markeredgewidth=0)  # fmt: skip


def _draw_forest(
    axes: Axes, family: Sequence[Comparison], styles: dict[str, ConditionStyle]
) -> None:
    metric = family[0].metric
    factor, places = display_factor(metric), difference_places(family)
    for row, comparison in enumerate(family):
        style, interval = styles[comparison.against], comparison.test.interval
        axes.scatter(factor * comparison.test.differences,
                     np.full(comparison.test.differences.size, row + 0.18), s=12,
                     color=style.color, alpha=0.55, linewidths=0)  # fmt: skip
        if np.isfinite(interval.half_width):
            axes.plot([factor * interval.low, factor * interval.high], [row, row],
                      color=style.color, linewidth=1.6, solid_capstyle="butt")  # fmt: skip
        axes.plot(factor * interval.mean, row, style.marker, color=style.color, markersize=6,
                  markeredgecolor="white", markeredgewidth=0.8)  # fmt: skip
        if np.isfinite(interval.mean):
            axes.annotate(format_number(factor * interval.mean, places, sign=True),
                          (factor * interval.mean, row), (0, 4), textcoords="offset points",
                          ha="center", va="bottom", fontsize=6.5,
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.3})  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    axes.margins(x=0.12)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    side = "← first condition better" if metric.better == "lower" else "first condition better →"
    axes.set_xlabel(
        f"difference in {title_in_sentence(metric)}\n{difference_unit(metric)}   {side}"
    )


def _levels(results: StudyResults, metric: MetricSpec) -> dict[str, float]:
    found = results.levels.get(metric.name, {})
    return {kind: value * display_factor(metric) for kind, value in found.items()}


def _short(value: float, _: int) -> str:
    """Format 12,000 as 12k and 3,000,000 as 3M."""
    for factor, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:g}{suffix}"
    return f"{value:g}"
