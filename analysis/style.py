"""Style shared by all figures: sizes, one colour and marker per condition, reproducible files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import matplotlib
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from workbench.record import write_bytes

COLUMN, PAGE = 3.25, 6.75
"""Widths in inches of one column and of the full text of a two-column paper."""
WIDTHS: Mapping[str, float] = {"column": COLUMN, "page": PAGE}
"""Width of the figures of a report by name."""
CHARACTER = 0.0085
"""Mean width of a character in inches, per point of font size."""
INK, QUIET = "#222222", "#6b6b6b"
DASHES = (0, (4, 3))
MARKERS = "osD^vPX*hp"
SEPARATORS = " _-·/,.="
"""Characters after which a long name is wrapped."""
LineStyle = Literal["-", "--", "-.", ":"]
LINE_STYLES: tuple[LineStyle, ...] = ("-", "--", "-.", ":")
FORMATS: Mapping[str, Mapping[str, Any]] = {"pdf": {}, "png": {"dpi": 220}, "svg": {}}
METADATA: Mapping[str, tuple[str, str]] = {
    "pdf": ("CreationDate", "Subject"),
    "png": ("Software", "Description"),
    "svg": ("Date", "Description"),
}
"""Metadata keys by format: the one that changes between runs, and the one for provenance."""


@dataclass(frozen=True)
class ConditionStyle:
    """Colour, marker and line style of one condition in all figures."""

    color: str
    marker: str
    line: LineStyle


def condition_styles(conditions: Sequence[str]) -> dict[str, ConditionStyle]:
    """Return colour-blind safe styles by condition, assigned in the order of the study file.

    With more conditions than colours, the colours repeat with another marker and line style.
    """
    # Without the palette's pale pink and yellow, which vanish on white paper.
    palette = [c for i, c in enumerate(sns.color_palette("colorblind").as_hex()) if i not in (6, 8)]
    return {
        name: ConditionStyle(
            color=palette[i % len(palette)],
            marker=MARKERS[i % len(MARKERS)],
            line=LINE_STYLES[i // len(palette) % len(LINE_STYLES)],
        )
        for i, name in enumerate(conditions)
    }


@contextmanager
def styled() -> Iterator[None]:
    """Apply the figure style while drawing and saving, then restore matplotlib's settings.

    The style starts from matplotlib's defaults, so that no user's `matplotlibrc` changes a figure.
    """
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
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        yield


def label(name: str, inches: float = float("inf"), fontsize: float = 7.5) -> str:
    """Return a condition's name as the text of a figure.

    Lines are wrapped to a width in inches, if possible after a separator. `$` is escaped, because
    matplotlib would read it as the delimiter of a formula.
    """
    lines = [name] if inches == float("inf") else wrap(name, int(inches / fontsize / CHARACTER))
    return "\n".join(lines).replace("$", r"\$")


def wrap(name: str, width: int) -> list[str]:
    """Return the lines of a name, each of at most `width` characters (at least 8)."""
    width, lines, rest = max(8, width), [], name
    while len(rest) > width:
        cut = max((i for i in range(width // 2, width) if rest[i] in SEPARATORS), default=width - 1)
        lines.append(rest[: cut + 1].strip())
        rest = rest[cut + 1 :].lstrip()
    return [*lines, rest] if rest or not lines else lines


def new_figure(width: float, height: float) -> Figure:
    """Return a figure that is not registered with pyplot; sizes in inches."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def panel_grid(panels: int, most: int, width: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with `most` panels per row, or one if it is narrow.

    An unused place stays empty. The height includes a legend of two rows.
    """
    columns = min(most, panels) if width >= PAGE else 1
    rows = -(-panels // columns)
    figure = new_figure(width, 0.5 + 2.2 * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for unused in axes[panels:]:
        unused.set_axis_off()
    return figure, axes[:panels]


def save(figure: Figure, folder: Path, name: str, provenance: str) -> list[Path]:
    """Write the figure as PDF, PNG and SVG; the same figure gives the same bytes.

    Args:
        figure: the figure.
        folder: folder to write to; it is created if necessary.
        name: file name without suffix.
        provenance: one line about the data, stored in the files' metadata.
    """
    paths = []
    with styled():
        # Compute the layout once for all formats. With a layout engine, each format draws twice.
        figure.draw_without_rendering()
        matplotlib.rcParams["figure.constrained_layout.use"] = False
        figure.set_layout_engine(None)
        for suffix, options in FORMATS.items():
            path = folder / f"{name}.{suffix}"
            volatile_key, provenance_key = METADATA[suffix]
            metadata = {volatile_key: None, provenance_key: provenance}
            drawn = BytesIO()
            figure.savefig(drawn, format=suffix, facecolor="white", metadata=metadata, **options)
            write_bytes(path, drawn.getvalue())
            paths.append(path)
    return paths
