"""Figures by unroll depth: errors, errors by action source, decision changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.axis_limits import fit_axis
from analysis.evaluation import common_level, largest_search
from analysis.formatting import axis_label, display_factor
from analysis.frames import StudyResults
from analysis.legend import condition_legend, finished_seeds
from analysis.line_panel import draw_line_panel
from analysis.statistics import mean_interval
from analysis.style import DASHES, INK, PAGE, QUIET, LineStyle, condition_styles, panel_grid, styled
from workbench.metrics import METRICS, MetricSpec

PANEL_ORDER = (
    "predictive/value_error",
    "predictive/policy_error",
    "predictive/reward_error",
    "predictive/termination_error",
    "predictive/latent_error",
    "predictive/value_equivalence_error",
    "predictive/probe_r2_linear",
    "predictive/mrr",
)
"""Metrics drawn first, in this order."""
MAX_PANELS = 6
"""Largest number of panels in the figure by action source."""
MIN_CASES = 100
"""Smallest number of cases per source and depth; fewer give a noisy mean and baseline."""
SOURCE_STYLES: dict[str, tuple[LineStyle, str]] = {
    "behaviour": ("-", "o"),
    "uniform": ("-.", "s"),
    "oracle": (":", "^"),
}
"""Line style and marker of each action source."""
FLIP_METRICS = ("decision/flip_rate", "decision/flip_gain")


def error_by_depth(results: StudyResults, width: float = PAGE) -> Figure | None:
    """Draw error over unroll depth, one panel per metric, with the number of cases per depth."""
    data = results.by_depth[results.by_depth["state"] == "done"].dropna(subset=["value"])
    shown = [metric for metric in METRICS.values()
             if metric.by_depth and metric.name in set(data["metric"])]  # fmt: skip
    if not shown:
        return None
    with styled():
        figure, panels = panel_grid(len(shown), 2, width)
        for axes, metric in zip(panels, shown, strict=True):
            _depth_panel(axes, results, metric, data[data["metric"] == metric.name])
        figure.supxlabel("unroll depth, with the number of cases")
        condition_legend(figure, results, results.done.groupby("condition").size())
    return figure


def depth_error_by_source(results: StudyResults, width: float = PAGE) -> Figure | None:
    """Draw error over unroll depth for each action source: behaviour, uniform, oracle."""
    data = results.evaluation.dropna(subset=["depth", "source", "value"])
    data = data[data["source"].isin(SOURCE_STYLES) & ~(data["n"] < MIN_CASES)]
    if data["source"].nunique() < 2:
        return None
    measured = set(data["metric"])
    ordered = dict.fromkeys([*PANEL_ORDER, *METRICS])
    shown = [METRICS[name] for name in ordered if name in measured][:MAX_PANELS]
    if not shown:
        return None
    with styled():
        figure, panels = panel_grid(len(shown), 2, width)
        for axes, metric in zip(panels, shown, strict=True):
            _source_panel(axes, results, metric, data[data["metric"] == metric.name])
        columns = 2 if width >= PAGE else 1
        for axes in panels[-columns:]:
            axes.set_xlabel("unroll depth, fewest cases per source")
        condition_legend(figure, results, finished_seeds(data), marked=False)
        _source_legend(figure, set(data["source"]))
    return figure


def flip_rate(results: StudyResults, width: float = PAGE) -> Figure | None:
    """Draw decision changes under oracle correction at one depth, and the regret they save."""
    known = results.evaluation.dropna(subset=["depth", "value"])
    data = {name: largest_search(known[known["metric"] == name]) for name in FLIP_METRICS}
    if any(rows.empty for rows in data.values()):
        return None
    with styled():
        figure, panels = panel_grid(len(FLIP_METRICS), 2, width)
        for axes, (name, rows) in zip(panels, data.items(), strict=True):
            draw_line_panel(axes, results, METRICS[name], rows, "depth", {}, (0.0,))
            axes.axhline(0, color=INK, linewidth=0.8, zorder=1)
            axes.set_xticks(sorted(rows["depth"].unique()))
        simulations = data[FLIP_METRICS[0]]["simulations"].iloc[0]
        figure.supxlabel(f"depth of the oracle correction, {simulations:g} simulations")
        condition_legend(figure, results, finished_seeds(data[FLIP_METRICS[0]]))
    return figure


def _depth_panel(axes: Axes, results: StudyResults, metric: MetricSpec, data: pd.DataFrame) -> None:
    styles = condition_styles(results.conditions)
    data = data.assign(value=data["value"] * display_factor(metric))
    for index, (name, style) in enumerate(styles.items()):
        shift = min(0.09, 0.5 / len(styles)) * (index - (len(styles) - 1) / 2)
        rows = data[data["condition"] == name]
        depths = sorted(rows["depth"].unique())
        if not depths:
            continue
        intervals = [mean_interval(rows.loc[rows["depth"] == depth, "value"]) for depth in depths]
        x = np.array(depths) + shift
        means = [interval.mean for interval in intervals]
        axes.scatter(rows["depth"] + shift, rows["value"], s=6, color=style.color, alpha=0.4,
                     linewidths=0)  # fmt: skip
        axes.errorbar(x, means, [np.nan_to_num(i.half_width) for i in intervals],
                      color=style.color, marker=style.marker, linestyle=style.line, markersize=4,
                      linewidth=1.2, elinewidth=0.9, capsize=1.5)  # fmt: skip
    naive = _naive_by_depth(results, metric)
    axes.plot(naive["depth"], naive["value"], color=QUIET, linewidth=0.8, linestyle=DASHES)
    fit_axis(axes, "y", metric, pd.concat([data[["value"]], naive[["value"]]]), {})
    axes.set_title(axis_label(metric, "↓↑").replace("\n", ", "), loc="left")
    counts = data.groupby("depth")["n"].agg(["min", "max"])
    axes.set_xticks(list(counts.index), [_depth_label(*row) for row in counts.itertuples()])


def _naive_by_depth(results: StudyResults, metric: MetricSpec) -> pd.DataFrame:
    depths = results.by_depth.loc[results.by_depth["metric"] == metric.name, "depth"].unique()
    levels = {k: results.levels.get(f"{metric.name}@{k}", {}).get("naive") for k in depths}
    factor = display_factor(metric)
    rows = [(k, value * factor) for k, value in sorted(levels.items()) if value is not None]
    return pd.DataFrame(rows, columns=["depth", "value"], dtype=float)


def _depth_label(depth: float, fewest: float, most: float) -> str:
    """Return the tick label of a depth: the depth, a line break, the range of case counts."""
    if not np.isfinite(most):
        return f"{depth:g}"
    cases = f"{most:,.0f}" if fewest == most else f"{fewest:,.0f}–{most:,.0f}"
    return f"{depth:g}\n{cases}"


def _source_panel(
    axes: Axes, results: StudyResults, metric: MetricSpec, data: pd.DataFrame
) -> None:
    factor = display_factor(metric)
    shown = [data["value"] * factor]
    for source, (line, marker) in SOURCE_STYLES.items():
        rows = data[data["source"] == source]
        for name, style in condition_styles(results.conditions).items():
            means = rows[rows["condition"] == name].groupby("depth")["value"].mean() * factor
            axes.plot(means.index, means, line, color=style.color, marker=marker, markersize=3,
                      linewidth=1.1, markeredgewidth=0)  # fmt: skip
        levels = rows.groupby("depth")["naive"].agg(common_level).astype(float).dropna() * factor
        axes.plot(levels.index, levels, color=QUIET, linestyle=DASHES, linewidth=0.7,
                  marker=marker, markersize=2.5, markeredgewidth=0, zorder=1)  # fmt: skip
        shown.append(levels)
    fit_axis(axes, "y", metric, pd.concat(shown).to_frame("value"), {})
    axes.set_title(axis_label(metric, "↓↑").replace("\n", ", "), loc="left")
    fewest = data.groupby("depth")["n"].min()
    labels = [_depth_label(k, n, n) for k, n in zip(fewest.index, fewest, strict=True)]
    axes.set_xticks(list(fewest.index), labels)


def _source_legend(figure: Figure, measured: set[str]) -> None:
    handles = [
        Line2D([], [], color=INK, linestyle=line, marker=marker, markersize=4, label=source)
        for source, (line, marker) in SOURCE_STYLES.items()
        if source in measured
    ]
    handles.append(Line2D([], [], color=QUIET, linestyle=DASHES, linewidth=0.8, label="naive"))
    columns = 4 if figure.get_figwidth() >= PAGE else 2
    figure.legend(handles=handles, loc="outside lower left", ncols=columns, title="action source",
                  alignment="left")  # fmt: skip
