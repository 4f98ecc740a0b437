"""How metrics and numbers are said: one voice for figures, tables, page and terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from analysis.statistics import Interval
from workbench.errors import WorkbenchError, unknown
from workbench.metrics import METRICS, MetricSpec, spec

MINUS = "−"
NOTHING = "–"


def describe(name: str) -> MetricSpec:
    """The metric behind `name` or `name@depth`; raises WorkbenchError for an unknown one."""
    found = spec(name)
    if found is None:
        raise WorkbenchError(unknown("metric", name, METRICS))
    _, _, depth = name.partition("@")
    return replace(found, name=name, title=f"{found.title} at depth {depth}") if depth else found


def scale(metric: MetricSpec) -> float:
    """Factor from stored to shown values: shares are shown in percent."""
    return 100.0 if metric.unit == "share" else 1.0


def unit(metric: MetricSpec) -> str:
    return "%" if metric.unit == "share" else metric.unit


def axis_label(metric: MetricSpec, arrows: str = "←→") -> str:
    """Title, unit, a line break, and the way to better.

    `arrows` are the axis' two ends; on a rotated label `←→` point down and up.
    """
    where = f"{arrows[0]} better" if metric.better == "lower" else f"better {arrows[1]}"
    return (
        f"{metric.title}\n{unit(metric)}   {where}" if unit(metric) else f"{metric.title}\n{where}"
    )


def titled(metric: MetricSpec) -> str:
    """Title and unit: `Regret (search), game value`."""
    return f"{metric.title}, {unit(metric)}" if unit(metric) else metric.title


def phrase(metric: MetricSpec) -> str:
    """The title inside a sentence."""
    return metric.title[:1].lower() + metric.title[1:]


def fixed(value: float, decimals: int, sign: bool = False) -> str:
    """A number with thousands separators and a real minus; `–` for none."""
    if not math.isfinite(value):
        return NOTHING
    text = f"{value:+,.{decimals}f}" if sign else f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def decimals(values: Iterable[float], digits: int = 3, most: int = 6) -> int:
    """Decimals that give the largest of `values` its `digits` significant digits."""
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    if largest == 0:
        return 0
    return min(most, max(0, digits - 1 - math.floor(math.log10(largest))))


def mean_pm(interval: Interval, metric: MetricSpec, places: int) -> str:
    """`mean ± half-width`; the mean alone, or marked, where there is no true interval."""
    factor = scale(metric)
    mean = fixed(factor * interval.mean, places)
    if not math.isfinite(interval.half_width):
        return mean
    if interval.half_width == 0:
        return f"{mean} (all equal)"
    return f"{mean} ± {fixed(factor * interval.half_width, places)}"


def p_value(p: float) -> str:
    if not math.isfinite(p):
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def count(number: int, noun: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
