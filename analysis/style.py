"""One look for all figures: sizes, a fixed colour and marker for each condition, stable files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib
import seaborn as sns
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLUMN, PAGE = 3.4, 7.0
"""Widths in inches of one column and of the whole text of a two-column paper."""
INK, QUIET = "#222222", "#6b6b6b"
DASHES = (0, (4, 3))
MARKERS = "osD^vPX*hp"
Line = Literal["-", "--", "-.", ":"]
LINES: tuple[Line, ...] = ("-", "--", "-.", ":")
FORMATS: Mapping[str, Mapping[str, Any]] = {"pdf": {}, "png": {"dpi": 220}, "svg": {}}
METADATA: Mapping[str, tuple[str, str]] = {
    "pdf": ("CreationDate", "Subject"),
    "png": ("Software", "Description"),
    "svg": ("Date", "Description"),
}
"""By format, the entry that would change from run to run, and the one for provenance."""


@dataclass(frozen=True)
class Look:
    """How one condition is drawn, everywhere."""

    color: str
    marker: str
    line: Line


def looks(conditions: Sequence[str]) -> dict[str, Look]:
    """Colours that colour-blind readers tell apart, in the order of the study file.

    Beyond ten conditions the colours come round again with another marker and line.
    """
    # Without the palette's pale pink and yellow, which vanish on white paper.
    palette = [c for i, c in enumerate(sns.color_palette("colorblind").as_hex()) if i not in (6, 8)]
    return {
        name: Look(
            color=palette[i % len(palette)],
            marker=MARKERS[i % len(MARKERS)],
            line=LINES[i // len(palette) % len(LINES)],
        )
        for i, name in enumerate(conditions)
    }


@contextmanager
def styled() -> Iterator[None]:
    """The style, for the time of drawing and saving; matplotlib is left as it was."""
    settings = {
        **sns.axes_style("ticks"),
        **sns.plotting_context("paper"),
        "font.family": "DejaVu Sans",
        "font.size": 8,
        "axes.titlesize": 8.5,
        "axes.labelsize": 8,
        "figure.labelsize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7.5,
        "legend.title_fontsize": 7.5,
        "legend.frameon": False,
        "axes.edgecolor": QUIET,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "axes.linewidth": 0.7,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "xtick.minor.size": 1.5,
        "ytick.minor.size": 1.5,
        "xtick.minor.width": 0.5,
        "ytick.minor.width": 0.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#ececec",
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "figure.constrained_layout.use": True,
        "pdf.fonttype": 42,
        "svg.hashsalt": "muzero-workbench",
    }
    with matplotlib.rc_context(settings):
        yield


def plain(text: str) -> str:
    """The text as a figure shows it: for matplotlib a formula stands between two `$`."""
    return text.replace("$", r"\$")


def new_figure(width: float, height: float) -> Figure:
    """A figure of its own, unknown to pyplot; sizes in inches."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, folder: Path, name: str, provenance: str) -> list[Path]:
    """Write the figure as PDF, PNG and SVG; the same figure gives the same bytes.

    Args:
        provenance: a line on what was drawn, kept in the files' metadata.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with styled():
        # Lay out once, not once a format. With an engine left, each format would draw twice.
        figure.draw_without_rendering()
        matplotlib.rcParams["figure.constrained_layout.use"] = False
        figure.set_layout_engine(None)
        for suffix, options in FORMATS.items():
            path = folder / f"{name}.{suffix}"
            unstable, about = METADATA[suffix]
            metadata = {unstable: None, about: provenance}
            figure.savefig(path, format=suffix, facecolor="white", metadata=metadata, **options)
            paths.append(path)
    return paths
