"""The legends of a figure: its conditions, and what else its lines differ in."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.frames import StudyResults
from analysis.style import looks, plain


def condition_legend(
    figure: Figure, results: StudyResults, seeds: pd.Series[int], marked: bool = True
) -> None:
    """Above the panels, or to their right where there are many conditions.

    Args:
        seeds: by condition, the finished seeds that are drawn.
        marked: whether conditions differ in marker and line too, or in colour alone.
    """
    handles = [
        Line2D([], [], color=look.color, marker=look.marker if marked else "",
               linestyle=look.line if marked else "-", markersize=5,
               linewidth=None if marked else 3, label=f"{plain(name)} ({seeds.get(name, 0)})")
        for name, look in looks(results.conditions).items()
    ]  # fmt: skip
    widest = 0.6 + 0.065 * max(len(name) + 4 for name in results.conditions)
    columns = max(1, min(5, len(handles), int(figure.get_figwidth() / widest)))
    over = len(handles) <= 2 * columns
    figure.legend(handles=handles, loc="outside upper left" if over else "outside right upper",
                  ncols=columns if over else 1, title="condition (finished seeds)",
                  alignment="left")  # fmt: skip


def finished_seeds(data: pd.DataFrame) -> pd.Series[int]:
    """By condition, the trials that have a row in `data`."""
    return data.groupby("condition")["trial"].nunique()
