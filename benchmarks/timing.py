"""Alternate timing of two calls, so that variations of the machine affect both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from benchmarks.measurement import Figure

LEAST_SECONDS = 0.05
"""Minimum duration of a timing; shorter calls are repeated."""

Call = Callable[[], object]


@dataclass(frozen=True)
class TimingPairs:
    """Seconds of one call of each, in the order of measurement."""

    measured: Sequence[float]
    floor: Sequence[float]

    @property
    def ratio(self) -> float:
        """Median over the pairs of measured / floor."""
        pairs = zip(self.measured, self.floor, strict=True)
        return statistics.median(measured / floor for measured, floor in pairs)

    def figure(
        self,
        row: str,
        case: Mapping[str, str | int],
        floor: str,
        work: float = 1.0,
        unit: str = "s",
        extras: Mapping[str, float] | None = None,
    ) -> Figure:
        """Seconds, or the rate if a call does `work` units of something: `unit` is then `x/s`."""

        def in_unit(seconds: float) -> float:
            return seconds if unit == "s" else work / seconds

        low, median, high = quartiles([in_unit(seconds) for seconds in self.measured])
        return Figure(
            row=row,
            case=case,
            unit=unit,
            median=median,
            low=low,
            high=high,
            floor=floor,
            floor_median=statistics.median(in_unit(seconds) for seconds in self.floor),
            ratio=self.ratio,
            repeats=len(self.measured),
            extras=extras or {},
        )


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high


def time_alternately(
    measured: Call, floor: Call, repeats: int, least: float = LEAST_SECONDS
) -> TimingPairs:
    """Time two calls alternately, A B A B ...; each is called once before, to compile and warm up.

    Args:
        measured: the call to measure.
        floor: the call to compare with.
        repeats: number of pairs.
        least: minimum seconds of a timing.
    """
    counts = [_calls(measured, least), _calls(floor, least)]
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for call, count, seconds in zip((measured, floor), counts, taken, strict=True):
            seconds.append(_seconds(call, count))
    return TimingPairs(*taken)


def time_alone(call: Call, repeats: int, least: float = LEAST_SECONDS) -> list[float]:
    """Return the seconds of repeated calls; one call before warms up."""
    count = _calls(call, least)
    return [_seconds(call, count) for _ in range(repeats)]


def _calls(call: Call, least: float) -> int:
    """Return the number of calls that take `least` seconds."""
    call()
    return max(1, ceil(least / max(_seconds(call, 1), 1e-9)))


def _seconds(call: Call, count: int) -> float:
    """Return the seconds of one call, as the mean of `count` consecutive calls."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count
