"""The trial's folder: configuration, metric rows as they come, checkpoint, at the end the result.

config.yaml        the resolved configuration
metrics.jsonl      a row a measurement: {"step", "updates", metrics...}; same seed, same bytes
timing.jsonl       a row a measurement: {"step", "updates", "seconds", "cpu_seconds",
                   "evaluation_seconds"}
progress.json      how far the trial is, replaced now and then
checkpoint.pt      everything needed to go on, written whole or not at all
error.txt          why the trial failed
result.json        written last: a trial is done when it is there
evaluation/        what was measured afterwards, a file a measure
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CONFIG, METRICS, TIMING = "config.yaml", "metrics.jsonl", "timing.jsonl"
PROGRESS, CHECKPOINT, ERROR, RESULT = "progress.json", "checkpoint.pt", "error.txt", "result.json"
EVALUATION = "evaluation"


def write_text(path: Path, text: str) -> None:
    """Replace a file whole: a reader sees the old text or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


class TrialRecord:
    """Reads and writes one trial's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, config: Mapping[str, Any]) -> None:
        """Make the folder, with the resolved configuration; an old error is forgotten.

        What a killed process was about to write is thrown away: a folder is one process's.
        """
        for torn in self.folder.glob(".*.part"):
            torn.unlink(missing_ok=True)
        write_text(self.folder / CONFIG, yaml.safe_dump(dict(config), sort_keys=False))
        self.forget_failure()

    def append(self, metrics: Mapping[str, Any], timing: Mapping[str, Any]) -> None:
        """Add one measurement to the metric rows and to the timing rows."""
        for name, row in ((METRICS, metrics), (TIMING, timing)):
            with (self.folder / name).open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")

    def cut(self, steps: int, updates: int) -> None:
        """Forget the rows that come after a checkpoint taken at so many steps and updates."""
        for name in (METRICS, TIMING):
            path = self.folder / name
            rows = read_rows(path)
            kept = [row for row in rows if row["step"] <= steps and row["updates"] <= updates]
            write_text(path, "".join(json.dumps(row) + "\n" for row in kept))

    def last_row(self) -> dict[str, Any]:
        """The metrics of the last measurement; empty before the first."""
        rows = read_rows(self.folder / METRICS)
        return {k: v for k, v in rows[-1].items() if k not in ("step", "updates")} if rows else {}

    def progress(self, fraction: float, last: Mapping[str, Any]) -> None:
        write_text(self.folder / PROGRESS, json.dumps({"fraction": fraction, "last": dict(last)}))

    def finish(self, result: Mapping[str, Any]) -> None:
        write_text(self.folder / RESULT, json.dumps(result, indent=2) + "\n")

    def fail(self, reason: str) -> None:
        write_text(self.folder / ERROR, reason.rstrip() + "\n")

    def failure(self) -> str | None:
        """Why the trial failed, or None if it did not."""
        path = self.folder / ERROR
        return path.read_text(encoding="utf-8").strip() if path.exists() else None

    def forget_failure(self) -> None:
        (self.folder / ERROR).unlink(missing_ok=True)

    @property
    def checkpoint(self) -> Path:
        return self.folder / CHECKPOINT

    def result(self) -> dict[str, Any] | None:
        """The result, or None while the trial is not done."""
        return read_json(self.folder / RESULT)

    def state(self) -> str:
        """`done`, `failed`, `partial` (has a checkpoint) or `new`."""
        if self.result() is not None:
            return "done"
        for name, state in ((ERROR, "failed"), (CHECKPOINT, "partial")):
            if (self.folder / name).exists():
                return state
        return "new"

    def last_progress(self) -> dict[str, Any]:
        return read_json(self.folder / PROGRESS) or {"fraction": 0.0, "last": {}}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file; a last line cut short by a crash is left out."""
    rows = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
    return rows


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if there is no file, or no whole object in it."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError, json.JSONDecodeError):
        return None
    return data if isinstance(data, dict) else None
