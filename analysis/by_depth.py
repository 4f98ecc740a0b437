"""Figures by depth of imagination: errors, errors by the source of the moves, flipped moves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.axis_limits import fit_axis
from analysis.evaluation import agreed, largest_search
from analysis.formatting import axis_label, scale
from analysis.frames import StudyResults
from analysis.legend import condition_legend, finished_seeds
from analysis.line_panel import draw_lines
from analysis.statistics import mean_interval
from analysis.style import DASHES, INK, PAGE, QUIET, Line, looks, new_figure, styled
from workbench.metrics import METRICS, MetricSpec

FIRST = (
    "predictive/value_error",
    "predictive/policy_error",
    "predictive/reward_error",
    "predictive/termination_error",
    "predictive/latent_error",
    "predictive/value_equivalence_error",
    "predictive/decodable_ridge",
    "predictive/mrr",
)
"""Drawn before all others."""
PANELS = 6
FEWEST_CASES = 100
"""Below, a mean by source is the luck of a few games, and chance is no level."""
SOURCES: dict[str, tuple[Line, str]] = {
    "behaviour": ("-", "o"),
    "uniform": ("-.", "s"),
    "oracle": (":", "^"),
}
"""By source of the moves, its line and its marker."""
FLIPS = ("decision/flip_rate", "decision/flip_gain")


def error_by_depth(results: StudyResults) -> Figure | None:
    """How errors grow with unroll depth, a panel a metric, the number of cases under each depth."""
    data = results.by_depth[results.by_depth["state"] == "done"].dropna(subset=["value"])
    shown = [metric for metric in METRICS.values()
             if metric.by_depth and metric.name in set(data["metric"])]  # fmt: skip
    if not shown:
        return None
    with styled():
        figure, panels = _panels(len(shown))
        for axes, metric in zip(panels, shown, strict=True):
            _depth_panel(axes, results, metric, data[data["metric"] == metric.name])
        figure.supxlabel("unroll depth, and the number of cases measured there")
        condition_legend(figure, results, results.done.groupby("condition").size())
    return figure


def depth_error_by_source(results: StudyResults) -> Figure | None:
    """The same by where the followed moves come from: learners, chance, perfect play."""
    data = results.evaluation.dropna(subset=["depth", "source", "value"])
    data = data[data["source"].isin(SOURCES) & ~(data["n"] < FEWEST_CASES)]
    if data["source"].nunique() < 2:
        return None
    found = set(data["metric"])
    shown = [METRICS[name] for name in dict.fromkeys([*FIRST, *METRICS]) if name in found][:PANELS]
    if not shown:
        return None
    with styled():
        figure, panels = _panels(len(shown))
        for axes, metric in zip(panels, shown, strict=True):
            _source_panel(axes, results, metric, data[data["metric"] == metric.name])
        for axes in panels[-2:]:
            axes.set_xlabel("unroll depth, fewest cases of a source")
        condition_legend(figure, results, finished_seeds(data), marked=False)
        _source_legend(figure, set(data["source"]))
    return figure


def flip_rate(results: StudyResults) -> Figure | None:
    """Moves that the truth at one depth would change, and the regret that it would save."""
    known = results.evaluation.dropna(subset=["depth", "value"])
    data = {name: largest_search(known[known["metric"] == name]) for name in FLIPS}
    if any(rows.empty for rows in data.values()):
        return None
    with styled():
        figure = new_figure(PAGE, 2.7)
        panels = figure.subplots(1, len(FLIPS))
        for axes, (name, rows) in zip(panels, data.items(), strict=True):
            draw_lines(axes, results, METRICS[name], rows, "depth", {}, (0.0,))
            axes.axhline(0, color=INK, linewidth=0.8, zorder=1)
            axes.set_xticks(sorted(rows["depth"].unique()))
        many = data[FLIPS[0]]["simulations"].iloc[0]
        figure.supxlabel(f"depth at which the truth is told, {many:g} simulations")
        condition_legend(figure, results, finished_seeds(data[FLIPS[0]]))
    return figure


def _panels(many: int) -> tuple[Figure, list[Axes]]:
    """Two to a row; a place that is left over stays empty."""
    columns = min(2, many)
    rows = -(-many // columns)
    figure = new_figure(PAGE, 0.5 + 2.1 * rows)
    panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes in panels[many:]:
        axes.set_axis_off()
    return figure, panels[:many]


def _depth_panel(axes: Axes, results: StudyResults, metric: MetricSpec, data: pd.DataFrame) -> None:
    table = looks(results.conditions)
    data = data.assign(value=data["value"] * scale(metric))
    for place, (name, look) in enumerate(table.items()):
        shift = min(0.09, 0.5 / len(table)) * (place - (len(table) - 1) / 2)
        rows = data[data["condition"] == name]
        depths = sorted(rows["depth"].unique())
        if not depths:
            continue
        bands = [mean_interval(rows.loc[rows["depth"] == depth, "value"]) for depth in depths]
        x = np.array(depths) + shift
        means = [band.mean for band in bands]
        axes.scatter(rows["depth"] + shift, rows["value"], s=6, color=look.color, alpha=0.4,
                     linewidths=0)  # fmt: skip
        axes.errorbar(x, means, [np.nan_to_num(band.half_width) for band in bands],
                      color=look.color, marker=look.marker, linestyle=look.line, markersize=4,
                      linewidth=1.2, elinewidth=0.9, capsize=1.5)  # fmt: skip
    chance = _chance_by_depth(results, metric)
    axes.plot(chance["depth"], chance["value"], color=QUIET, linewidth=0.8, linestyle=DASHES)
    fit_axis(axes, "y", metric, pd.concat([data[["value"]], chance[["value"]]]), {})
    axes.set_title(axis_label(metric, "↓↑").replace("\n", ", "), loc="left")
    counts = data.groupby("depth")["n"].agg(["min", "max"])
    axes.set_xticks(list(counts.index), [_depth_label(*row) for row in counts.itertuples()])


def _chance_by_depth(results: StudyResults, metric: MetricSpec) -> pd.DataFrame:
    depths = results.by_depth.loc[results.by_depth["metric"] == metric.name, "depth"].unique()
    levels = {k: results.levels.get(f"{metric.name}@{k}", {}).get("chance") for k in depths}
    factor = scale(metric)
    rows = [(k, value * factor) for k, value in sorted(levels.items()) if value is not None]
    return pd.DataFrame(rows, columns=["depth", "value"], dtype=float)


def _depth_label(depth: float, fewest: float, most: float) -> str:
    if not np.isfinite(most):
        return f"{depth:g}"
    cases = f"{most:,.0f}" if fewest == most else f"{fewest:,.0f}–{most:,.0f}"
    return f"{depth:g}\n{cases}"


def _source_panel(
    axes: Axes, results: StudyResults, metric: MetricSpec, data: pd.DataFrame
) -> None:
    factor = scale(metric)
    chances = [data["value"] * factor]
    for source, (line, marker) in SOURCES.items():
        rows = data[data["source"] == source]
        for name, look in looks(results.conditions).items():
            means = rows[rows["condition"] == name].groupby("depth")["value"].mean() * factor
            axes.plot(means.index, means, line, color=look.color, marker=marker, markersize=3,
                      linewidth=1.1, markeredgewidth=0)  # fmt: skip
        levels = rows.groupby("depth")["chance"].agg(agreed).astype(float).dropna() * factor
        axes.plot(levels.index, levels, color=QUIET, linestyle=DASHES, linewidth=0.7,
                  marker=marker, markersize=2.5, markeredgewidth=0, zorder=1)  # fmt: skip
        chances.append(levels)
    fit_axis(axes, "y", metric, pd.concat(chances).to_frame("value"), {})
    axes.set_title(axis_label(metric, "↓↑").replace("\n", ", "), loc="left")
    fewest = data.groupby("depth")["n"].min()
    labels = [_depth_label(k, n, n) for k, n in zip(fewest.index, fewest, strict=True)]
    axes.set_xticks(list(fewest.index), labels)


def _source_legend(figure: Figure, found: set[str]) -> None:
    handles = [
        Line2D([], [], color=INK, linestyle=line, marker=marker, markersize=4, label=source)
        for source, (line, marker) in SOURCES.items()
        if source in found
    ]
    handles.append(Line2D([], [], color=QUIET, linestyle=DASHES, linewidth=0.8, label="chance"))
    figure.legend(handles=handles, loc="outside lower left", ncols=4, title="source of the moves",
                  alignment="left")  # fmt: skip
