"""Figures of a benchmark with their lower bounds, and the JSON document that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SCHEMA = 1


@dataclass(frozen=True)
class Effort:
    """Amount of measurement."""

    repeats: int = 9
    """Number of timing pairs per figure; results are medians over them."""
    threads: int = 1
    quick: bool = False
    """Run the smallest case of every kind once, as a check, not as a measurement."""


@dataclass(frozen=True)
class Figure:
    """One measurement and its lower bound, timed alternately in the same run."""

    row: str
    case: Mapping[str, str | int]
    """Measured case, by the column names of the table."""
    unit: str
    median: float
    low: float
    """Lower quartile over the repetitions."""
    high: float
    """Upper quartile."""
    floor: str
    """Name of the lower bound; empty for none."""
    floor_median: float | None
    """Median of the lower bound, in the same unit."""
    ratio: float | None
    """Time measured over time of the lower bound: median over the pairs, at best 1."""
    repeats: int
    extras: Mapping[str, float] = field(default_factory=dict)
    """Other facts about the case, by name with unit."""

    def line(self) -> str:
        """Return one line for the terminal: the case, the figure, the ratio."""
        case = " ".join(f"{name}={value}" for name, value in self.case.items())
        beside = "" if self.ratio is None else f"  {self.ratio:.2f} x {self.floor}"
        return f"{self.row:<12} {case:<52} {number(self.median)} {self.unit}{beside}"


def number(value: float) -> str:
    """Format a number with three significant digits, or all digits of a large one."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def document(
    figures: list[Figure], effort: Effort, machine: Mapping[str, Any], command: str
) -> dict[str, Any]:
    """Return the JSON document, which `benchmarks.tables` reads."""
    return {
        "schema": SCHEMA,
        "command": command,
        "machine": dict(machine),
        "effort": asdict(effort),
        "figures": [asdict(figure) for figure in figures],
    }
