"""Waterfall figure: the effect of replacing each model part on the regret of a trained agent."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.evaluation import largest_search
from analysis.formatting import decimal_places, format_number, title_with_unit
from analysis.frames import StudyResults
from analysis.statistics import mean_interval
from analysis.style import (
    CHARACTER,
    INK,
    PAGE,
    QUIET,
    ConditionStyle,
    condition_styles,
    label,
    new_figure,
    styled,
    wrap,
)
from workbench.metrics import METRICS

REGRET, EFFECT = "decision/transplant_regret", "decision/substitution_effect"
UNCHANGED, REMAINDER = "unchanged", "left"
STEPS = {
    UNCHANGED: "learned agent",
    "dynamics": "dynamics replaced",
    "prior": "prior replaced",
    "value": "value replaced",
    REMAINDER: "all replaced",
}
"""Label of the bar of each column of `regret_parts`."""
PARTS = ("dynamics", "prior", "value")
MIN_PANEL, LABELS = 1.6, 0.9
"""Smallest width of a panel, and width of the labels of the bars, in inches."""


def regret_parts(results: StudyResults) -> pd.DataFrame:
    """Return one row per trial (condition, trial): regrets, and the effect of replacing each part.

    Columns, in game value, for the largest search: `unchanged`, the regret of the learned agent;
    `dynamics`, `prior` and `value`, the effect on the regret of replacing this part; `left`, the
    regret with all parts replaced. The first four sum to the last.
    """
    data = results.evaluation
    regrets = data[data["metric"] == REGRET]
    substituted = regrets[["dynamics", "prior", "value_of"]] != "learned"
    shown = [
        regrets[~substituted.any(axis=1)].assign(part=UNCHANGED),
        data[(data["metric"] == EFFECT) & data["part"].isin(PARTS)],
        regrets[substituted.all(axis=1)].assign(part=REMAINDER),
    ]
    table = pd.concat([largest_search(rows) for rows in shown]).pivot_table(
        index=["condition", "trial"], columns="part", values="value"
    )
    return table.reindex(columns=[*STEPS]).dropna()


def regret_waterfall(results: StudyResults, width: float = PAGE) -> Figure | None:
    """Draw one panel per condition: regret, effect of replacing each part, remaining regret."""
    trials = regret_parts(results).groupby(level="condition")
    parts = {str(name): rows for name, rows in trials}
    styles = condition_styles(results.conditions)
    shown = {name: style for name, style in styles.items() if name in parts}
    if not shown:
        return None
    with styled():
        columns = min(int(width / MIN_PANEL), len(shown))
        rows = -(-len(shown) // columns)
        room = (width - LABELS) / columns
        titles = {n: label(f"{n} ({len(parts[n])})", room - 0.1, 8.5) for n in shown}
        lines = max(title.count("\n") for title in titles.values())
        figure = new_figure(width, 0.4 + (1.7 + 0.14 * lines) * rows)
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, (name, style) in zip(panels, shown.items(), strict=False):
            _draw_panel(axes, parts[name], style)
            axes.set_title(titles[name], loc="left")
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        panels[0].set_yticks(range(len(STEPS)), [*STEPS.values()])
        panels[0].invert_yaxis()
        panels[0].margins(x=0.5 / room)
        effects = results.evaluation[results.evaluation["metric"] == EFFECT]
        simulations = effects["simulations"].max()
        text = f"{title_with_unit(METRICS[REGRET])}, {simulations:g} simulations"
        figure.supxlabel("\n".join(wrap(text, int(width / 8 / CHARACTER))))
    return figure


def waterfall(means: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Return (begin, end) of the bar of each step; each part begins where the previous one ends."""
    bars, at = {UNCHANGED: (0.0, means[UNCHANGED])}, means[UNCHANGED]
    for name in PARTS:
        bars[name] = (at, at + means[name])
        at += means[name]
    return bars | {REMAINDER: (0.0, means[REMAINDER])}


def _draw_panel(axes: Axes, parts: pd.DataFrame, style: ConditionStyle) -> None:
    """Draw one condition from `parts`, one row per seed; seeds begin where the mean's bar does."""
    means = {name: mean_interval(parts[name]).mean for name in STEPS}
    bars = waterfall(means)
    places = decimal_places(means.values(), 2, 3)
    for row, (name, (begin, end)) in enumerate(bars.items()):
        is_total = name not in PARTS
        axes.barh(row, end - begin, left=begin, height=0.62, color=style.color,
                  alpha=0.9 if is_total else 0.45, linewidth=0)  # fmt: skip
        ends = begin + parts[name]
        axes.scatter(ends, [row] * len(ends), s=9, color=INK, alpha=0.7, linewidths=0, zorder=4)
        change = format_number(means[name], places, sign=not is_total)
        axes.annotate(change, (max(begin, end, *ends), row), (4, 0), textcoords="offset points",
                      va="center", fontsize=7, color=INK)  # fmt: skip
        if name != REMAINDER:
            axes.plot([end, end], [row + 0.31, row + 0.69], color=QUIET, linewidth=0.7)
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
