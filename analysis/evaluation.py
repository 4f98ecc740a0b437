"""Results of `workbench evaluate` on finished trials, as a tidy data frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.metrics import METRICS, Reading, parse, spec
from workbench.record import EVALUATION
from workbench.renames import with_current_names
from workbench.result_files import DamagedFile, MeasureResult, read_arrays, read_object

COORDINATE_COLUMNS = {
    name: "value_of" if name == "value" else name
    for metric in METRICS.values()
    for name in metric.by
}
"""Column of each coordinate; coordinate `value` is renamed, as column `value` is the result."""
NUMERIC_COORDINATES = ("simulations", "interval")
POSITION_FILE = "by_state.npz"
POSITION_ARRAYS = ("observation", "q", "prior", "visits", "move", "regret")
_TRIAL = ("trial", "condition", "seed")


@dataclass(frozen=True)
class Measurement:
    """One measured value of one trial, with its reference levels."""

    reading: Reading
    value: float
    naive: float
    """Level of the naive baseline; NaN if unknown."""
    oracle: float
    """Level of perfect play or a perfect model; NaN if unknown."""
    n: float
    """Number of cases that `value` averages over; NaN if the measure does not count them."""
    code: str
    """Hash of the source code that the measurement depended on."""
    code_files: Mapping[str, str]
    """Hash of each module of it; empty in older results."""
    evaluation_set: str
    """First 16 digits of the hash of the evaluation set."""

    @property
    def is_scalar(self) -> bool:
        """Whether the value has neither depth nor coordinates: one number per trial."""
        return self.reading.depth is None and not self.reading.at

    @property
    def levels(self) -> dict[str, float]:
        """Known reference levels by kind: `naive`, `oracle`."""
        known = {"naive": self.naive, "oracle": self.oracle}
        return {kind: value for kind, value in known.items() if value == value}


@dataclass(frozen=True)
class StoredEvaluation:
    """Results of `workbench evaluate` in a trial's folder."""

    measurements: list[Measurement]
    positions: Path | None
    """The file with records by position, if there is one."""
    damage: list[str]
    """One message for each file that cannot be used."""


def read_evaluation(folder: Path, trial: str | None = None) -> StoredEvaluation:
    """Read all measurements in a trial's folder.

    Args:
        folder: folder of the trial.
        trial: id of the trial that must have been measured, if it is known.
    """
    found, damage, positions = list[Measurement](), list[str](), None
    digests: dict[str, str] = {}
    for path in sorted((folder / EVALUATION).glob("*.json")):
        try:
            contents = read_object(path, MeasureResult)
            if contents is not None:
                _check_trial(path, contents, trial)
                digests[path.stem] = contents.get("arrays", "")
                found += _parse(with_current_names(contents))
        except DamagedFile as error:
            damage.append(str(error))
    path = folder / EVALUATION / POSITION_FILE
    try:
        arrays = read_arrays(path, digests.get(path.stem, ""))
        if arrays is not None:
            _check_positions(path, arrays)
            positions = path
    except DamagedFile as error:
        damage.append(str(error))
    return StoredEvaluation(found, positions, damage)


def _check_trial(path: Path, contents: Mapping[str, Any], trial: str | None) -> None:
    measured = contents.get("trial")
    if trial is not None and measured not in (None, trial):
        raise DamagedFile(path, f"measures trial {measured}, but this folder is that of {trial}")


def _check_positions(path: Path, arrays: Mapping[str, Any]) -> None:
    """Check that P positions with A moves each are described by arrays of fitting shapes."""
    missing = [name for name in POSITION_ARRAYS if name not in arrays]
    if missing:
        raise DamagedFile(path, f"lacks the arrays {', '.join(missing)}")
    positions, moves = len(arrays["observation"]), arrays["q"].shape[-1:]
    for name, kinds, shape in (
        ("q", "f", (positions, *moves)),
        ("prior", "f", (positions, *moves)),
        ("visits", "f", (positions, *moves)),
        ("move", "iu", (positions,)),
        ("regret", "f", (positions,)),
    ):
        array = arrays[name]
        if array.shape != shape or array.dtype.kind not in kinds:
            raise DamagedFile(path, f"array '{name}' is {array.dtype} of shape {array.shape}")
    if positions and not (0 <= arrays["move"].min() <= arrays["move"].max() < moves[0]):
        raise DamagedFile(path, "array 'move' has moves that do not exist")


def evaluation_frame(
    trials: Iterable[tuple[Mapping[str, Any], Iterable[Measurement]]],
) -> pd.DataFrame:
    """Return one row per measurement of the given (trial row, measurements) pairs.

    Columns: trial, condition, seed, metric, depth, one per coordinate, value, naive, oracle, n,
    set.
    """
    rows = [
        {
            **{name: row[name] for name in _TRIAL},
            "metric": measurement.reading.metric,
            "depth": measurement.reading.depth,
            **{
                COORDINATE_COLUMNS.get(name, name): value
                for name, value in measurement.reading.at.items()
            },
            "value": measurement.value,
            "naive": measurement.naive,
            "oracle": measurement.oracle,
            "n": measurement.n,
            "set": measurement.evaluation_set,
        }
        for row, measurements in trials
        for measurement in measurements
    ]
    columns = [
        *_TRIAL,
        "metric",
        "depth",
        *COORDINATE_COLUMNS.values(),
        "value",
        "naive",
        "oracle",
        "n",
        "set",
    ]
    frame = pd.DataFrame(rows, columns=columns)
    for name in ("depth", *NUMERIC_COORDINATES):
        frame[name] = frame[name].astype(float)
    return frame


def common_level(values: pd.Series[float]) -> float | None:
    """Return the level that all values share; None if they differ or none is known."""
    known = values.dropna().unique()
    return float(known[0]) if len(known) == 1 else None


def largest_search(data: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the largest number of simulations; rows without a search are dropped."""
    rows: pd.DataFrame = data[data["simulations"] == data["simulations"].max()]
    return rows


def _parse(contents: Mapping[str, Any]) -> list[Measurement]:
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
        # A level stated for the whole metric holds at every depth.
        defaults = {"oracle": known.oracle if known else None}
        defaults |= contents["levels"].get(reading.metric, {})
        found.append(
            Measurement(
                reading,
                value=finite_or_nan(contents["metrics"][name]),
                naive=finite_or_nan(level.get("naive")),
                oracle=finite_or_nan(level.get("oracle", defaults["oracle"])),
                n=float(counts[index]) if 0 <= index < len(counts) else float("nan"),
                code=str(contents["code"]),
                code_files=contents.get("code_files", {}),
                evaluation_set=str(contents["evaluation_set"].get("hash", ""))[:16],
            )
        )
    return found


def _series(reading: Reading) -> str:
    """Return the name of the reading without its depth; counts are stored by depth under it."""
    return str(replace(reading, depth=None))


def finite_or_nan(value: Any) -> float:
    """Return a stored number; NaN, which means missing, if it is None or not finite."""
    number = float("nan") if value is None else float(value)
    return number if math.isfinite(number) else float("nan")
