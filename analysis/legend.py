"""Legend of the conditions, shared by all figures."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.frames import StudyResults
from analysis.style import CHARACTER, PAGE, condition_styles, label

FONT, LINE, GAP = 7.5, 0.125, 0.055
"""Font size in points; height of a line, and gap between entries, in inches."""
HANDLE = 0.55
"""Width of marker and padding of an entry, in inches."""
INCLUDED = 0.5
"""Height of a legend that the figures allow for, in inches."""
MAX_BESIDE = 0.3
"""Largest share of the figure's width that a legend beside the panels may take."""


def condition_legend(
    figure: Figure, results: StudyResults, seeds: pd.Series[int], marked: bool = True
) -> None:
    """Add a legend above the panels, or to their right if there are many conditions.

    The entries follow the order of the conditions, row by row. A legend above the panels enlarges
    the figure by the height that it needs beyond `INCLUDED`.

    Args:
        figure: the figure.
        results: the study, which gives the conditions.
        seeds: number of drawn finished seeds by condition.
        marked: whether conditions differ in marker and line style too, or in colour only.
    """
    width = figure.get_figwidth()
    texts = [
        label(f"{name} ({seeds.get(name, 0)})", min(2.6, width) - HANDLE, FONT)
        for name in results.conditions
    ]
    handles = [
        Line2D([], [], color=style.color, marker=style.marker if marked else "",
               linestyle=style.line if marked else "-", markersize=5,
               linewidth=None if marked else 3, label=text)
        for text, style in zip(texts, condition_styles(results.conditions).values(), strict=True)
    ]  # fmt: skip
    longest = max(len(line) for text in texts for line in text.splitlines())
    entry = HANDLE + 0.1 + longest * FONT * CHARACTER
    columns = max(1, min(5, len(handles), int(width / entry)))
    rows = -(-len(handles) // columns)
    if rows > 2 and width >= PAGE and entry <= MAX_BESIDE * width:
        figure.legend(handles=handles, loc="outside right upper", ncols=1,
                      title="condition (finished seeds)", alignment="left")  # fmt: skip
        return
    by_row = [handle for column in range(columns) for handle in handles[column::columns]]
    lines = max(text.count("\n") + 1 for text in texts)
    height = rows * (lines * LINE + GAP) + LINE + GAP
    figure.set_figheight(figure.get_figheight() + max(0.0, height - INCLUDED))
    figure.legend(handles=by_row, loc="outside upper left", ncols=columns,
                  title="condition (finished seeds)", alignment="left")  # fmt: skip


def finished_seeds(data: pd.DataFrame) -> pd.Series[int]:
    """Return the number of trials in `data` by condition."""
    return data.groupby("condition")["trial"].nunique()
