"""Texts of metrics and numbers, shared by figures, tables, report page and terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from analysis.statistics import Interval
from workbench.errors import WorkbenchError, unknown_name
from workbench.metrics import METRICS, MetricSpec, spec

MINUS = "−"
MISSING = "–"


def resolve_metric(name: str) -> MetricSpec:
    """Return the metric of `name` or `name@depth`.

    Raises:
        WorkbenchError: the metric is unknown.
    """
    found = spec(name)
    if found is None:
        raise WorkbenchError(unknown_name("metric", name, METRICS))
    _, _, depth = name.partition("@")
    return replace(found, name=name, title=f"{found.title} at depth {depth}") if depth else found


def display_factor(metric: MetricSpec) -> float:
    """Return the factor from stored to displayed values: shares are displayed in percent."""
    return 100.0 if metric.unit == "share" else 1.0


def display_unit(metric: MetricSpec) -> str:
    """Return the unit of displayed values."""
    return "%" if metric.unit == "share" else metric.unit


def difference_unit(metric: MetricSpec) -> str:
    """Return the unit of displayed differences: percentage points for shares."""
    return "percentage points" if metric.unit == "share" else metric.unit


def axis_label(metric: MetricSpec, arrows: str = "←→") -> str:
    """Return title, line break, unit and the direction of better values.

    `arrows` point to the low and the high end of the axis; on a rotated label `←→` point down
    and up.
    """
    where = f"{arrows[0]} better" if metric.better == "lower" else f"better {arrows[1]}"
    return (
        f"{metric.title}\n{display_unit(metric)}   {where}"
        if display_unit(metric)
        else f"{metric.title}\n{where}"
    )


def title_with_unit(metric: MetricSpec) -> str:
    """Return title and unit, as in `Regret (search), game value`."""
    return f"{metric.title}, {display_unit(metric)}" if display_unit(metric) else metric.title


def title_in_sentence(metric: MetricSpec) -> str:
    """Return the title for use inside a sentence: without its capital."""
    return metric.title[:1].lower() + metric.title[1:]


def format_number(value: float, places: int, sign: bool = False) -> str:
    """Return a number with thousands separators and a minus sign; `–` if it is not finite."""
    if not math.isfinite(value):
        return MISSING
    text = f"{value:+,.{places}f}" if sign else f"{value:,.{places}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def decimal_places(values: Iterable[float], digits: int = 3, most: int = 6) -> int:
    """Return the number of decimals that shows the largest value with `digits` significant digits.

    At most `most`; 0 if all values are 0 or not finite.
    """
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    if largest == 0:
        return 0
    return min(most, max(0, digits - 1 - math.floor(math.log10(largest))))


def shared_places(
    values: Iterable[float], half_widths: Iterable[float], digits: int = 2, most: int = 6
) -> int:
    """Return the number of decimals for a column of estimates, so that all its cells agree.

    It shows the smallest half-width, or the spread of the values if that is smaller, with `digits`
    significant digits, and the largest value with at most five.
    """
    known = [value for value in values if math.isfinite(value)]
    spread = max(known) - min(known) if known else 0.0
    steps = [step for step in (spread, *half_widths) if math.isfinite(step) and step > 0]
    if not steps:
        return decimal_places(known, 3, most)
    limit = decimal_places(known, 5, most) if any(known) else most
    return min(limit, decimal_places([min(steps)], digits, most))


def format_bounds(low: float, high: float, places: int) -> str:
    """Return `low to high`; `–` if there is no interval."""
    if not math.isfinite(low):
        return MISSING
    return f"{format_number(low, places)} to {format_number(high, places)}"


def format_mean(interval: Interval, metric: MetricSpec, places: int) -> str:
    """Return `mean ± half-width`; the mean alone, or marked, if there is no proper interval."""
    factor = display_factor(metric)
    mean = format_number(factor * interval.mean, places)
    if not math.isfinite(interval.half_width):
        return mean
    if interval.half_width == 0:
        return f"{mean} (all equal)"
    return f"{mean} ± {format_number(factor * interval.half_width, places)}"


def format_p(p: float) -> str:
    """Return a p value with two or three decimals; `–` if there is none."""
    if not math.isfinite(p):
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def count(number: int, noun: str) -> str:
    """Return number and noun, as in `1 seed`, `3 seeds`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def join_names(names: Sequence[str]) -> str:
    """Return `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
