"""What a benchmark says: figures, each beside its floor, in a document that can be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SCHEMA = 1


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    repeats: int = 9
    """Pairs of timings of a figure; its numbers are medians over them."""
    threads: int = 1
    quick: bool = False
    """The smallest case of every kind, once: to see that it runs, not how fast."""


@dataclass(frozen=True)
class Figure:
    """One measurement beside its floor, both taken in turn in the same run."""

    row: str
    case: Mapping[str, str | int]
    """What was measured, by the names of the table's columns."""
    unit: str
    median: float
    low: float
    """The lower quartile over the repetitions."""
    high: float
    """The upper quartile."""
    floor: str
    """What it is measured beside; empty for nothing."""
    floor_median: float | None
    """Of the floor, in the same unit."""
    ratio: float | None
    """Time of the measured over time of the floor: median over the pairs, 1 at the floor."""
    repeats: int
    extras: Mapping[str, float] = field(default_factory=dict)
    """Other facts about the case, by name with unit."""

    def line(self) -> str:
        """For a reader who waits: the case, the figure, the ratio."""
        case = " ".join(f"{name}={value}" for name, value in self.case.items())
        beside = "" if self.ratio is None else f"  {self.ratio:.2f} x {self.floor}"
        return f"{self.row:<12} {case:<52} {number(self.median)} {self.unit}{beside}"


def number(value: float) -> str:
    """With three digits that count, or all of a large number's."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def document(
    figures: list[Figure], effort: Effort, machine: Mapping[str, Any], command: str
) -> dict[str, Any]:
    """What is written as JSON, and read by `benchmarks.tables`."""
    return {
        "schema": SCHEMA,
        "command": command,
        "machine": dict(machine),
        "effort": asdict(effort),
        "figures": [asdict(figure) for figure in figures],
    }
