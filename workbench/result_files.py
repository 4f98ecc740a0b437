"""Schemas of the files that trials and studies leave behind, and the functions that read them.

Every reader gets valid data, None for a missing file, or `DamagedFile` with the file and the
reason. A row of a file of rows is read on its own: one damaged line costs one row.
"""

from __future__ import annotations

import errno
import hashlib
import json
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from workbench.errors import WorkbenchError
from workbench.metrics import parse

if TYPE_CHECKING:
    import numpy as np

LARGEST = 2**53
"""Largest whole number that every reader, also a data frame, holds exactly."""

Count = Annotated[int, Field(ge=0, le=LARGEST)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Number = float | None
"""A measured value; None if it is undefined. A value that is not finite counts as missing."""
Levels = dict[str, dict[str, Number]]


class DamagedFile(WorkbenchError):
    """A file of a trial or a study that cannot be read as what it should be."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


class MixedTrials(WorkbenchError):
    """Two files in the folder of a trial belong to different trials."""


class _Record(BaseModel):
    """A JSON object; keys that other versions of the workbench add are kept."""

    model_config = ConfigDict(extra="allow", strict=True)


class EvaluationSet(_Record):
    """The states that a trial was measured on."""

    hash: str = ""
    positions: Count = 0
    counts: dict[str, list[Count]] = {}


class TrialResult(_Record):
    """`result.json`."""

    id: str
    schema_version: int = Field(alias="schema")
    steps: Count
    updates: Count
    metrics: dict[str, Number]
    code: str = ""
    code_files: dict[str, str] = {}
    levels: Levels = {}
    parameters: dict[str, Count] = {}
    evaluation_set: EvaluationSet = EvaluationSet()
    seconds: Finite = 0.0
    cpu_seconds: Finite = 0.0
    evaluation_seconds: Finite = 0.0
    memory_mb: Finite | None = None
    notes: list[str] = []
    damage: list[str] = []
    versions: dict[str, str] = {}


class Row(_Record):
    """One line of `metrics.jsonl` or `timing.jsonl`."""

    __pydantic_extra__: dict[str, Number]
    step: Count
    updates: Count


class Progress(_Record):
    """`progress.json`."""

    fraction: Annotated[float, Field(ge=0, le=1)]
    last: dict[str, Number]


class MeasureResult(_Record):
    """`evaluation/MEASURE.json`."""

    metrics: dict[str, Number]
    levels: Levels
    counts: dict[str, list[Count]]
    evaluation_set: EvaluationSet
    code: str
    code_files: dict[str, str] = {}
    trial: str | None = None
    checkpoint: str = ""
    measure: dict[str, Any] = {}
    version: int = 0
    metric_versions: dict[str, int] = {}
    details: bool = False
    arrays: str = ""
    seconds: Finite = 0.0

    @field_validator("metrics")
    @classmethod
    def _names(cls, metrics: dict[str, Number]) -> dict[str, Number]:
        for name in metrics:
            parse(name)
        return metrics


class ConditionEntry(_Record):
    """A condition in `study.json`."""

    name: str
    values: dict[str, Any] = {}


class ComparisonEntry(_Record):
    """A comparison in `study.json`."""

    baseline: str
    against: str


class TrialEntry(_Record):
    """A trial in `study.json`."""

    id: str
    condition: str
    seed: Count
    folder: str

    @field_validator("folder")
    @classmethod
    def _inside(cls, folder: str) -> str:
        path = PurePosixPath(folder)
        if path.is_absolute() or ".." in path.parts or "\0" in folder or not path.parts:
            raise ValueError("must be a folder inside the study's folder")
        return folder


class MatchEntry(_Record):
    """The part whose parameters the conditions must agree in, in `study.json`."""

    part: Literal["representation", "dynamics", "prediction", "total"]
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class LaunchEntry(_Record):
    """A launch in `study.json`."""

    started: str
    seconds: Finite | None = None
    versions: dict[str, str] = {}
    cpu: str = ""


class StudyRecord(_Record):
    """`study.json`."""

    study: str
    question: str
    primary: str
    predictive: str
    conditions: Annotated[list[ConditionEntry], Field(min_length=1)]
    trials: list[TrialEntry]
    file: str = ""
    axes: dict[str, list[Any]] = {}
    baseline: str | None = None
    comparisons: list[ComparisonEntry] = []
    seeds: list[Count] = []
    match: MatchEntry | None = None
    budget: dict[str, Finite | None] | None = None
    command: str = ""
    launches: list[LaunchEntry] = []

    @model_validator(mode="after")
    def _consistent(self) -> StudyRecord:
        names = [condition.name for condition in self.conditions]
        named = [trial.condition for trial in self.trials]
        named += [name for c in self.comparisons for name in (c.baseline, c.against)]
        unknown = sorted({*named, *([self.baseline] if self.baseline else [])} - {*names})
        if unknown:
            raise ValueError(f"unknown condition '{unknown[0]}'")
        seeds = [(trial.condition, trial.seed) for trial in self.trials]
        for what, values in (
            ("condition", names),
            ("trial", [trial.id for trial in self.trials]),
            ("folder", [trial.folder for trial in self.trials]),
            ("condition and seed", seeds),
        ):
            if len(set(values)) < len(values):
                raise ValueError(f"the same {what} is listed twice")
        return self


def read_bytes(path: Path) -> bytes | None:
    """Return the contents of a file; None if it is missing.

    Raises:
        DamagedFile: it is not a readable file.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            kind = "a folder" if path.is_dir() else "a device or a pipe"
            raise DamagedFile(path, f"is {kind} in the place of a file")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DamagedFile(path, f"cannot be read: {error.strerror or error}") from None


def read_text(path: Path) -> str | None:
    """Return the text of a file; None if it is missing.

    Raises:
        DamagedFile: it is not a readable file, or not UTF-8.
    """
    data = read_bytes(path)
    try:
        return None if data is None else data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedFile(path, f"is not text: byte {error.start} is no UTF-8") from None


def read_object(path: Path, schema: type[BaseModel]) -> dict[str, Any] | None:
    """Return the JSON object in a file, which matches `schema`; None if the file is missing.

    Raises:
        DamagedFile: the file is damaged.
    """
    text = read_text(path)
    if text is None:
        return None
    try:
        return _object(text, schema)
    except ValueError as error:
        raise DamagedFile(path, f"is damaged: {error}") from None


def _object(text: str, schema: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON object in a text.

    Raises:
        ValueError: the text is no JSON, or does not match the schema.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON at line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError):  # a number of 5,000 digits, or a million brackets
        raise ValueError("JSON with a number too long, or nested too deeply") from None
    if not isinstance(data, dict):
        raise ValueError(f"expected an object, found {_shown(data)}")
    try:
        schema.model_validate(data)
    except ValidationError as error:
        raise ValueError(_problems(error)) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return data


def _problems(error: ValidationError) -> str:
    """Return the first problems of an object in one line, and all keys that it lacks."""
    details = error.errors(include_url=False)
    lacking = sorted(_key(d["loc"]) for d in details if d["type"] == "missing")
    others = [
        f"{_key(d['loc'])}: {_message(d)}".removeprefix(": ")
        for d in details
        if d["type"] != "missing"
    ]
    found = [f"lacks {', '.join(lacking)}"] if lacking else []
    more = [f"and {len(others) - 2} more problems"] if len(others) > 2 else []
    return "; ".join([*found, *others[:2], *more])


def _key(location: Iterable[str | int]) -> str:
    return ".".join(map(str, location))


def _message(detail: Mapping[str, Any]) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    message = str(detail["msg"])
    return f"{message[0].lower()}{message[1:]}, found {_shown(detail['input'])}"


def _shown(value: Any) -> str:
    """Return a value as JSON, shortened."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."


@dataclass(frozen=True)
class StoredRow:
    """A valid line of a file of rows."""

    data: dict[str, Any]
    line: str
    """Its text, without the line break."""

    @property
    def at(self) -> tuple[int, int]:
        """Steps and updates at which it was measured."""
        return self.data["step"], self.data["updates"]

    @property
    def checksum(self) -> int:
        """The CRC-32 of the line."""
        return checksum(self.line)


@dataclass(frozen=True)
class StoredRows:
    """The contents of a file of rows."""

    rows: tuple[StoredRow, ...]
    damage: tuple[str, ...]
    """One message for each damaged line. An incomplete last line is none: a crash leaves it."""


def checksum(line: str) -> int:
    """Return the CRC-32 of a line's text."""
    return zlib.crc32(line.encode())


def read_stored_rows(path: Path) -> StoredRows:
    """Return the valid rows of a JSON-lines file, and what is wrong with its other lines."""
    try:
        data = read_bytes(path) or b""
    except DamagedFile as error:
        return StoredRows((), (str(error),))
    rows, damage = [], []
    *lines, last = data.split(b"\n")
    for number, line in enumerate([*lines, last], 1):
        try:
            text = line.decode("utf-8")
            if text or number <= len(lines):
                rows.append(StoredRow(_object(text, Row), text))
        except ValueError as error:
            if number <= len(lines):
                reason = "no UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
                damage.append(f"{path}:{number}: the row is damaged: {reason}")
    return StoredRows(tuple(rows), tuple(damage))


def read_arrays(path: Path, digest: str = "") -> dict[str, np.ndarray[Any, Any]] | None:
    """Return the arrays of an npz file; None if it is missing.

    Args:
        path: the file.
        digest: the SHA-256 of the file, if it is known.

    Raises:
        DamagedFile: the file is damaged, or has another digest.
    """
    import numpy as np

    data = read_bytes(path)
    if data is None:
        return None
    if digest and hashlib.sha256(data).hexdigest() != digest:
        raise DamagedFile(path, "is damaged: it is not the file that was measured")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, SyntaxError,
            NotImplementedError, RuntimeError, MemoryError, zipfile.BadZipFile,
            zlib.error) as error:  # fmt: skip
        raise DamagedFile(path, f"is damaged: {_first_line(error)}") from None


def check_archive(path: Path) -> None:
    """Compare the contents of a zip file with the checksums inside it.

    Raises:
        DamagedFile: a checksum or the structure of the file is wrong.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError,
            RuntimeError, ValueError) as error:  # fmt: skip
        raise DamagedFile(path, f"is damaged: {_first_line(error)}") from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # a position before the start of the file
            raise
        raise DamagedFile(path, "is damaged: a position in it is impossible") from None
    if wrong is not None:
        raise DamagedFile(path, f"is damaged: the checksum of its part {wrong} is wrong")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def config_id(config: Mapping[str, Any], schema: int) -> str:
    """Return a trial's id: the first twelve hex digits of the SHA-256 of its configuration."""
    text = json.dumps([schema, config], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def stored_config_id(path: Path, schema: int) -> str | None:
    """Return the id of the trial that a stored `config.yaml` describes; None if it is missing.

    Raises:
        DamagedFile: it is damaged.
    """
    data = read_bytes(path)
    if data is None:
        return None
    found = _id_of_yaml(data, schema)
    if found is None:
        raise DamagedFile(path, "is damaged: no YAML mapping of plain values")
    return found


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # written in C where libyaml is there


@lru_cache(1024)
def _id_of_yaml(data: bytes, schema: int) -> str | None:
    try:
        config = yaml.load(data, _Loader)
        return config_id(config, schema) if isinstance(config, dict) else None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError, OverflowError,
            RecursionError):  # fmt: skip
        return None
