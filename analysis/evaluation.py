"""What finished agents were measured by afterwards, as `workbench evaluate` left it: long, tidy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.metrics import METRICS, Reading, parse, spec
from workbench.record import EVALUATION, read_json

COLUMNS = {
    name: "value_of" if name == "value" else name
    for metric in METRICS.values()
    for name in metric.by
}
"""By coordinate, its column: what replaces the value must not be taken for the value read."""
NUMBERS = ("simulations", "every")
_TRIAL = ("trial", "condition", "seed")


@dataclass(frozen=True)
class Measured:
    """One reading of one trial, with its levels."""

    reading: Reading
    value: float
    chance: float
    oracle: float
    n: float
    """Cases that it is a mean over, where the measure counts them; else NaN."""
    code: str
    """Hash of the workbench's source that measured it."""
    set: str
    """The first digits of the hash of the evaluation set."""

    @property
    def plain(self) -> bool:
        """Of no depth and under no coordinates: one number a trial."""
        return self.reading.depth is None and not self.reading.at

    @property
    def levels(self) -> dict[str, float]:
        known = {"chance": self.chance, "oracle": self.oracle}
        return {kind: value for kind, value in known.items() if value == value}


def read_evaluation(trial: Path) -> list[Measured]:
    """Every reading in a trial's folder; a file that is no whole measurement is passed over."""
    found = []
    for path in sorted((trial / EVALUATION).glob("*.json")):
        contents = read_json(path)
        if contents is not None:
            found += _measured(contents)
    return found


def evaluation_frame(
    trials: Iterable[tuple[Mapping[str, Any], Iterable[Measured]]],
) -> pd.DataFrame:
    """trial, condition, seed, metric, depth, a column a coordinate, value, chance, oracle, n."""
    rows = [
        {
            **{name: row[name] for name in _TRIAL},
            "metric": one.reading.metric,
            "depth": one.reading.depth,
            **{COLUMNS.get(name, name): at for name, at in one.reading.at.items()},
            "value": one.value,
            "chance": one.chance,
            "oracle": one.oracle,
            "n": one.n,
            "set": one.set,
        }
        for row, measured in trials
        for one in measured
    ]
    columns = [
        *_TRIAL,
        "metric",
        "depth",
        *COLUMNS.values(),
        "value",
        "chance",
        "oracle",
        "n",
        "set",
    ]
    frame = pd.DataFrame(rows, columns=columns)
    for name in ("depth", *NUMBERS):
        frame[name] = frame[name].astype(float)
    return frame


def agreed(values: pd.Series[float]) -> float | None:
    """A level that all readings give alike; None where they differ, or there is none."""
    known = values.dropna().unique()
    return float(known[0]) if len(known) == 1 else None


def largest_search(data: pd.DataFrame) -> pd.DataFrame:
    """The rows of the largest search among them; those of no search stay out."""
    rows: pd.DataFrame = data[data["simulations"] == data["simulations"].max()]
    return rows


def _measured(contents: Mapping[str, Any]) -> list[Measured]:
    readings = {name: parse(name) for name in contents["metrics"]}
    first: dict[str, int] = {}
    for reading in readings.values():
        if reading.depth is not None:
            series = _series(reading)
            first[series] = min(first.get(series, reading.depth), reading.depth)
    found = []
    for name, reading in readings.items():
        counts = contents["counts"].get(_series(reading), [])
        index = -1 if reading.depth is None else reading.depth - first[_series(reading)]
        level, known = contents["levels"].get(name, {}), spec(reading.metric)
        # What is said of the metric as a whole holds at every depth.
        perfect = {"oracle": known.oracle if known else None}
        perfect |= contents["levels"].get(reading.metric, {})
        found.append(
            Measured(
                reading,
                value=_number(contents["metrics"][name]),
                chance=_number(level.get("chance")),
                oracle=_number(level.get("oracle", perfect["oracle"])),
                n=float(counts[index]) if 0 <= index < len(counts) else float("nan"),
                code=str(contents["code"]),
                set=str(contents["evaluation_set"]["hash"])[:16],
            )
        )
    return found


def _series(reading: Reading) -> str:
    """The same reading at whatever depth: counts stand by depth under this name."""
    return str(replace(reading, depth=None))


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
