"""Legend of the conditions, shared by all figures."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.frames import StudyResults
from analysis.style import condition_styles, escape_dollars


def condition_legend(
    figure: Figure, results: StudyResults, seeds: pd.Series[int], marked: bool = True
) -> None:
    """Add a legend above the panels, or to their right if there are many conditions.

    Args:
        figure: the figure.
        results: the study, which gives the conditions.
        seeds: number of drawn finished seeds by condition.
        marked: whether conditions differ in marker and line style too, or in colour only.
    """
    handles = [
        Line2D([], [], color=style.color, marker=style.marker if marked else "",
               linestyle=style.line if marked else "-", markersize=5,
               linewidth=None if marked else 3,
               label=f"{escape_dollars(name)} ({seeds.get(name, 0)})")
        for name, style in condition_styles(results.conditions).items()
    ]  # fmt: skip
    widest = 0.6 + 0.065 * max(len(name) + 4 for name in results.conditions)
    columns = max(1, min(5, len(handles), int(figure.get_figwidth() / widest)))
    above = len(handles) <= 2 * columns
    figure.legend(handles=handles, loc="outside upper left" if above else "outside right upper",
                  ncols=columns if above else 1, title="condition (finished seeds)",
                  alignment="left")  # fmt: skip


def finished_seeds(data: pd.DataFrame) -> pd.Series[int]:
    """Return the number of trials in `data` by condition."""
    return data.groupby("condition")["trial"].nunique()
