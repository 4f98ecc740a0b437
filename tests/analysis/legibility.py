"""Faults of a drawn figure that make its texts illegible."""

from __future__ import annotations

from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

TOUCHING = 1.5
"""Overlap in points that a reader does not notice."""
MIN_PANEL = 0.5
"""Smallest side of a legible panel in inches."""


def faults(figure: Figure) -> list[str]:
    """Return overlapping texts, texts beyond the figure, and panels that are too small."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    figure.set_layout_engine(None)
    point = figure.dpi / 72
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in _visible(figure)]
    found = [
        f"{a!r} overlaps {b!r}"
        for (a, first), (b, second) in combinations(boxes, 2)
        if _overlap(first, second) > TOUCHING * point
    ]
    width, height = figure.get_size_inches() * figure.dpi
    found += [
        f"{text!r} is cut off"
        for text, box in boxes
        if min(box.x0, box.y0, width - box.x1, height - box.y1) < -TOUCHING * point
    ]
    for axes in figure.axes:
        panel = axes.get_window_extent(renderer)
        if axes.axison and min(panel.width, panel.height) < MIN_PANEL * figure.dpi:
            found.append(f"panel of {panel.width:.0f} by {panel.height:.0f} pixels")
    return found


def _visible(figure: Figure) -> list[Text]:
    """Return the texts that are drawn, without the tick labels beyond an axis' limits."""
    unused: set[Text] = set()
    for axes in figure.axes:
        unused |= _unused_ticks(axes)
    texts = figure.findobj(lambda artist: isinstance(artist, Text))
    return [t for t in texts if t.get_visible() and t.get_text().strip() and t not in unused]


def _unused_ticks(axes: Axes) -> set[Text]:
    if not axes.axison:
        return {t for t in axes.findobj(lambda a: isinstance(a, Text)) if t not in axes.texts}
    unused: set[Text] = set()
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                unused |= {tick.label1, tick.label2}
            for label, shown in (
                (tick.label1, tick.label1.get_visible()),
                (tick.label2, tick.label2.get_visible()),
            ):
                if not shown:
                    unused.add(label)
    return unused


def _overlap(first: Bbox, second: Bbox) -> float:
    """Return the smaller side of the intersection in pixels; 0 if there is none."""
    common = Bbox.intersection(first, second)
    return 0.0 if common is None else float(min(common.width, common.height))
