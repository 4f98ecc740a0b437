"""Two things timed in turn, so that the machine's mood hits both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from benchmarks.measurement import Figure

LEAST_SECONDS = 0.05
"""A timing lasts at least so long: what is shorter is called several times."""

Call = Callable[[], object]


@dataclass(frozen=True)
class Pairs:
    """Seconds of one call of each, in the order in which they were taken."""

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
        """Seconds, or where a call does `work` of something, its rate: `unit` is then `x/s`."""

        def told(seconds: float) -> float:
            return seconds if unit == "s" else work / seconds

        low, median, high = quartiles([told(seconds) for seconds in self.measured])
        return Figure(
            row=row,
            case=case,
            unit=unit,
            median=median,
            low=low,
            high=high,
            floor=floor,
            floor_median=statistics.median(told(seconds) for seconds in self.floor),
            ratio=self.ratio,
            repeats=len(self.measured),
            extras=extras or {},
        )


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high


def in_turn(measured: Call, floor: Call, repeats: int, least: float = LEAST_SECONDS) -> Pairs:
    """Time two calls in turn, A B A B ...; each is called once before, to compile and to warm up.

    Args:
        least: seconds that a timing lasts at the least.
    """
    counts = [_calls(measured, least), _calls(floor, least)]
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for call, count, seconds in zip((measured, floor), counts, taken, strict=True):
            seconds.append(_seconds(call, count))
    return Pairs(*taken)


def alone(call: Call, repeats: int, least: float = LEAST_SECONDS) -> list[float]:
    """Seconds of one call, so many times; it is called once before."""
    count = _calls(call, least)
    return [_seconds(call, count) for _ in range(repeats)]


def _calls(call: Call, least: float) -> int:
    """How many calls take `least` seconds."""
    call()
    return max(1, ceil(least / max(_seconds(call, 1), 1e-9)))


def _seconds(call: Call, count: int) -> float:
    """Of one call, by the mean of `count` in a row."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count
