"""The regret of a trained agent, divided among its parts."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.evaluation import largest_search
from analysis.formatting import decimals, fixed, titled
from analysis.frames import StudyResults
from analysis.statistics import mean_interval
from analysis.style import INK, PAGE, QUIET, Look, looks, new_figure, plain, styled
from workbench.metrics import METRICS

REGRET, OWED = "decision/transplant_regret", "decision/regret_owed"
WHOLE, LEFT = "as it is", "left"
STEPS = {
    WHOLE: "nothing replaced",
    "dynamics": "owed to dynamics",
    "prior": "owed to prior",
    "value": "owed to value",
    LEFT: "left with all replaced",
}
"""By column of `regret_parts`, what its bar is called."""
ABREAST = 4
"""Panels in a row."""


def regret_parts(results: StudyResults) -> pd.DataFrame:
    """A row a trial (condition, trial), columns `as it is`, `dynamics`, `prior`, `value`, `left`.

    Regret in game value, under the largest search; the last four are together the first.
    """
    data = results.evaluation
    learned = (data["dynamics"] == "learned") & (data["prior"] == "learned")
    as_it_is = data["metric"].eq(REGRET) & learned & data["value_of"].eq("learned")
    whole = largest_search(data[as_it_is]).assign(part=WHOLE)
    owed = largest_search(data[data["metric"] == OWED])
    table = pd.concat([whole, owed]).pivot_table(
        index=["condition", "trial"], columns="part", values="value"
    )
    return table.reindex(columns=[*STEPS]).dropna()


def regret_waterfall(results: StudyResults) -> Figure | None:
    """A panel a condition: from the regret with nothing replaced, what each part is owed."""
    trials = regret_parts(results).groupby(level="condition")
    parts = {str(name): rows for name, rows in trials}
    shown = {name: look for name, look in looks(results.conditions).items() if name in parts}
    if not shown:
        return None
    with styled():
        columns = min(ABREAST, len(shown))
        rows = -(-len(shown) // columns)
        figure = new_figure(PAGE, 0.4 + 1.7 * rows)
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, (name, look) in zip(panels, shown.items(), strict=False):
            _panel(axes, parts[name], look)
            axes.set_title(f"{plain(name)} ({len(parts[name])})", loc="left")
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        panels[0].set_yticks(range(len(STEPS)), [*STEPS.values()])
        panels[0].invert_yaxis()
        panels[0].margins(x=0.2)
        owed = results.evaluation[results.evaluation["metric"] == OWED]
        many = owed["simulations"].max()
        figure.supxlabel(f"{titled(METRICS[REGRET])}, {many:g} simulations")
    return figure


def waterfall(means: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """By step, where its bar begins and ends: each part's where the one before it ends."""
    bars, at = {WHOLE: (0.0, means[WHOLE])}, means[WHOLE]
    for name in [name for name in STEPS if name not in (WHOLE, LEFT)]:
        bars[name] = (at, at - means[name])
        at -= means[name]
    return bars | {LEFT: (0.0, means[LEFT])}


def _panel(axes: Axes, parts: pd.DataFrame, look: Look) -> None:
    """`parts`: a row a seed, a column a step. Single seeds begin where the mean's bar does."""
    found = {name: mean_interval(parts[name]) for name in STEPS}
    bars = waterfall({name: interval.mean for name, interval in found.items()})
    places = decimals([interval.mean for interval in found.values()], 2, 3)
    for row, (name, (begin, end)) in enumerate(bars.items()):
        whole = name in (WHOLE, LEFT)
        axes.barh(row, end - begin, left=begin, height=0.62, color=look.color,
                  alpha=0.9 if whole else 0.45, linewidth=0)  # fmt: skip
        ends = parts[name] if whole else begin - parts[name]
        axes.scatter(ends, [row] * len(ends), s=9, color=INK, alpha=0.7, linewidths=0, zorder=4)
        label = fixed(found[name].mean if whole else -found[name].mean, places, sign=not whole)
        axes.annotate(label, (max(begin, end, *ends), row), (4, 0), textcoords="offset points",
                      va="center", fontsize=7, color=INK)  # fmt: skip
        if name != LEFT:
            axes.plot([end, end], [row + 0.31, row + 0.69], color=QUIET, linewidth=0.7)
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
