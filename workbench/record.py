"""The folder of a trial: configuration, metrics, checkpoint and result.

config.yaml        the resolved configuration
metrics.jsonl      one row per measurement: {"step", "updates", metrics...}; same seed, same bytes
timing.jsonl       one row per measurement: {"step", "updates", "seconds", "cpu_seconds",
                   "evaluation_seconds"}
progress.json      the completed fraction and the latest metrics, replaced at every measurement
checkpoint.pt      everything needed to resume, replaced atomically
error.txt          why the trial failed
result.json        written last: its existence means that the trial is done
evaluation/        measurements of the finished agent, one file per measure
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

CONFIG, METRICS, TIMING = "config.yaml", "metrics.jsonl", "timing.jsonl"
PROGRESS, CHECKPOINT, ERROR, RESULT = "progress.json", "checkpoint.pt", "error.txt", "result.json"
EVALUATION = "evaluation"


def write_bytes(path: Path, contents: bytes) -> None:
    """Replace a file atomically: readers see the old contents or the new ones, never a part.

    Raises:
        OSError: it cannot be written; the error names the file, and no partial file remains.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            stream.write(contents)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        error.filename = str(path)
        raise


def write_text(path: Path, text: str) -> None:
    """Replace a text file as `write_bytes` does."""
    write_bytes(path, text.encode())


class TrialRecord:
    """Reads and writes one trial's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, config: Mapping[str, Any]) -> None:
        """Create the folder with the resolved configuration, and remove an earlier error.

        Also delete partial files of a killed process: one process owns the folder.
        """
        for partial_file in self.folder.glob(".*.part"):
            partial_file.unlink(missing_ok=True)
        write_text(self.folder / CONFIG, yaml.safe_dump(dict(config), sort_keys=False))
        self.clear_failure()

    def append(self, metrics: Mapping[str, Any], timing: Mapping[str, Any]) -> None:
        """Append one row to the metrics and one to the timings."""
        for name, row in ((METRICS, metrics), (TIMING, timing)):
            with (self.folder / name).open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")

    def drop_rows_after(self, steps: int, updates: int) -> None:
        """Remove the rows after a checkpoint with the given numbers of steps and updates."""
        for name in (METRICS, TIMING):
            path = self.folder / name
            rows = read_rows(path)
            kept = [row for row in rows if row["step"] <= steps and row["updates"] <= updates]
            write_text(path, "".join(json.dumps(row) + "\n" for row in kept))

    def last_row(self) -> dict[str, Any]:
        """Return the metrics of the last measurement; empty before the first."""
        rows = read_rows(self.folder / METRICS)
        return {k: v for k, v in rows[-1].items() if k not in ("step", "updates")} if rows else {}

    def progress(self, fraction: float, last: Mapping[str, Any]) -> None:
        """Write the completed fraction and the latest metrics."""
        write_text(self.folder / PROGRESS, json.dumps({"fraction": fraction, "last": dict(last)}))

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result, which marks the trial as done."""
        write_text(self.folder / RESULT, json.dumps(result, indent=2) + "\n")

    def fail(self, reason: str) -> None:
        """Write the reason of a failure."""
        write_text(self.folder / ERROR, reason.rstrip() + "\n")

    def failure(self) -> str | None:
        """Return why the trial failed, or None if it did not."""
        path = self.folder / ERROR
        return path.read_text(encoding="utf-8").strip() if path.exists() else None

    def clear_failure(self) -> None:
        """Remove the reason of an earlier failure."""
        (self.folder / ERROR).unlink(missing_ok=True)

    @property
    def checkpoint(self) -> Path:
        """Path of the checkpoint."""
        return self.folder / CHECKPOINT

    def result(self) -> dict[str, Any] | None:
        """Return the result, or None while the trial is not done."""
        return read_json(self.folder / RESULT)

    def state(self) -> str:
        """Return `done`, `failed`, `partial` (a checkpoint exists) or `new`."""
        if self.result() is not None:
            return "done"
        for name, state in ((ERROR, "failed"), (CHECKPOINT, "partial")):
            if (self.folder / name).exists():
                return state
        return "new"

    def last_progress(self) -> dict[str, Any]:
        """Return the last written fraction and metrics; 0 and none before the first."""
        return read_json(self.folder / PROGRESS) or {"fraction": 0.0, "last": {}}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON-lines file, up to the first line that a crash cut short."""
    rows = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
    return rows


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a JSON file; None if the file is missing or holds no valid object."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError, json.JSONDecodeError):
        return None
    return data if isinstance(data, dict) else None
