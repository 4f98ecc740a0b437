"""The folder of a trial: configuration, metrics, checkpoint and result.

config.yaml        the resolved configuration
metrics.jsonl      one row per measurement: {"step", "updates", metrics...}; same seed, same bytes
timing.jsonl       one row per measurement: {"step", "updates", "seconds", "cpu_seconds",
                   "evaluation_seconds"}
progress.json      the completed fraction and the latest metrics, replaced at every measurement
checkpoint.pt      everything needed to resume, replaced atomically
error.txt          why the trial failed
owner.txt          the process that runs the trial; a process that is no longer named here stops
result.json        written last: if it is valid, the trial is done
evaluation/        measurements of the finished agent, one file per measure

`workbench/result_files.py` has the schemas of these files.
"""

from __future__ import annotations

import json
import os
import platform
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from workbench.errors import TrialTakenOver, WorkbenchError
from workbench.result_files import (
    DamagedFile,
    MixedTrials,
    Progress,
    TrialResult,
    checksum,
    read_object,
    read_stored_rows,
    read_text,
    stored_config_id,
)

CONFIG, METRICS, TIMING = "config.yaml", "metrics.jsonl", "timing.jsonl"
PROGRESS, CHECKPOINT, ERROR, RESULT = "progress.json", "checkpoint.pt", "error.txt", "result.json"
EVALUATION, OWNER = "evaluation", "owner.txt"

MeasuredRow = tuple[int, int, int]
"""Steps, updates and CRC-32 of a row of metrics."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Context manager: a stream whose contents replace the file atomically at the end.

    Readers see the old file or the new one, never a part. After an error no partial file remains,
    and an OSError names the file.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Context manager: an OSError raised inside names the file."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def write_bytes(path: Path, contents: bytes) -> None:
    """Replace a file atomically: readers see the old contents or the new ones, never a part.

    Raises:
        OSError: it cannot be written; the error names the file, and no partial file remains.
    """
    with replacing(path) as stream:
        stream.write(contents)


def write_text(path: Path, text: str) -> None:
    """Replace a text file as `write_bytes` does."""
    write_bytes(path, text.encode())


class TrialRecord:
    """Reads and writes one trial's folder.

    Args:
        folder: the folder.
        trial: id of the trial that the folder should hold, if it is known.
    """

    def __init__(self, folder: Path, trial: str | None = None) -> None:
        self.folder, self._trial = folder, trial
        self._mark = ""

    def start(self, config: Mapping[str, Any]) -> None:
        """Create the folder with the resolved configuration, and remove an earlier error.

        Also delete partial files of a killed process: one process owns the folder. From now on
        this object writes only while the folder is not taken over by a later start.

        Raises:
            WorkbenchError: something in the folder is in the way of a file.
        """
        for name in (CONFIG, METRICS, TIMING, PROGRESS, CHECKPOINT, ERROR, RESULT):
            if (self.folder / name).is_dir():
                raise WorkbenchError(
                    f"{self.folder / name}: is a folder in the place of a file; remove it"
                )
        for partial_file in self.folder.glob(".*.part"):
            partial_file.unlink(missing_ok=True)
        mark = f"{uuid.uuid4().hex} process {os.getpid()} on {platform.node()}"
        write_text(self.folder / OWNER, f"{mark}\n")
        self._mark = mark
        write_text(self.folder / CONFIG, yaml.safe_dump(dict(config), sort_keys=False))
        self.clear_failure()

    def check_owner(self) -> None:
        """Check that no other process took the trial over since `start`.

        A worker on a node that was given up may wake again, while its successor runs the trial. It
        calls this before it writes anything.

        Raises:
            TrialTakenOver: another process runs the trial.
        """
        if not self._mark:
            return
        owner = read_text(self.folder / OWNER)
        if owner is None or owner.strip() != self._mark:
            name = "another process" if owner is None else owner.strip().partition(" ")[2]
            raise TrialTakenOver(f"{self.folder}: {name} runs this trial now; nothing was written")

    def append(self, metrics: Mapping[str, Any], timing: Mapping[str, Any]) -> MeasuredRow:
        """Append one row to the metrics and one to the timings, and flush both to the disk."""
        self.check_owner()
        lines = [json.dumps(row) for row in (metrics, timing)]
        for name, line in zip((METRICS, TIMING), lines, strict=True):
            path = self.folder / name
            with naming(path), path.open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")
                stream.flush()
                os.fsync(stream.fileno())
        return metrics["step"], metrics["updates"], checksum(lines[0])

    def restore_rows(
        self, steps: int, updates: int, measured: Sequence[MeasuredRow] | None
    ) -> tuple[list[MeasuredRow], list[str]]:
        """Remove the rows after a checkpoint, and all that are not what was measured before it.

        Args:
            steps: number of steps at the checkpoint.
            updates: number of updates at the checkpoint.
            measured: the rows that were written before the checkpoint; None if it does not know.

        Returns:
            the rows of metrics that remain, and one sentence for each file that lost rows.
        """
        checksums = None if measured is None else {(s, u): crc for s, u, crc in measured}
        remaining: list[MeasuredRow] = []
        lost = []
        for name in (METRICS, TIMING):
            path = self.folder / name
            stored = read_stored_rows(path)
            rows = {row.at: row for row in stored.rows if row.at <= (steps, updates)}
            if checksums is not None:
                expected = checksums if name == METRICS else dict.fromkeys(checksums)
                rows = {at: row for at, row in rows.items()
                        if at in expected and expected[at] in (None, row.checksum)}  # fmt: skip
                if gone := [at for at in expected if at not in rows]:
                    lost.append(f"{path}: lost {_named(gone)}, measured before step {steps}")
            elif stored.damage:
                lost.append(f"{path}: lost {len(stored.damage)} damaged rows before step {steps}")
            write_text(path, "".join(row.line + "\n" for row in rows.values()))
            if name == METRICS:
                remaining = [(*at, row.checksum) for at, row in rows.items()]
        return remaining, lost

    def last_row(self) -> dict[str, Any]:
        """Return the metrics of the last measurement; empty before the first."""
        rows = read_rows(self.folder / METRICS)
        return {k: v for k, v in rows[-1].items() if k not in ("step", "updates")} if rows else {}

    def progress(self, fraction: float, last: Mapping[str, Any]) -> None:
        """Write the completed fraction and the latest metrics."""
        self.check_owner()
        write_text(self.folder / PROGRESS, json.dumps({"fraction": fraction, "last": dict(last)}))

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result, which marks the trial as done."""
        self.check_owner()
        write_text(self.folder / RESULT, json.dumps(result, indent=2) + "\n")
        (self.folder / OWNER).unlink(missing_ok=True)

    def fail(self, reason: str) -> None:
        """Write the reason of a failure."""
        write_text(self.folder / ERROR, reason.rstrip() + "\n")

    def failure(self) -> str | None:
        """Return why the trial failed, or None if it did not."""
        try:
            text = read_text(self.folder / ERROR)
        except DamagedFile as error:
            return str(error)
        return None if text is None else text.strip()

    def clear_failure(self) -> None:
        """Remove the reason of an earlier failure."""
        (self.folder / ERROR).unlink(missing_ok=True)

    @property
    def checkpoint(self) -> Path:
        """Path of the checkpoint."""
        return self.folder / CHECKPOINT

    def read_result(self) -> dict[str, Any] | None:
        """Return the result, or None while there is none.

        Raises:
            DamagedFile: the result or the configuration is damaged.
            MixedTrials: result, configuration and folder belong to different trials.
        """
        path = self.folder / RESULT
        result = read_object(path, TrialResult)
        if result is None:
            return None
        if self._trial is not None and result["id"] != self._trial:
            raise MixedTrials(
                f"{path}: is the result of trial {result['id']}, but this folder is that of trial "
                f"{self._trial}; put the right file back, or remove this one to run the trial again"
            )
        configured = stored_config_id(self.folder / CONFIG, result["schema"])
        if configured not in (None, result["id"]):
            raise MixedTrials(
                f"{self.folder / CONFIG}: describes trial {configured}, but {RESULT} is that of "
                f"trial {result['id']}, so one of them was edited or belongs elsewhere; put the "
                f"right file back, or remove {RESULT} to run the trial again"
            )
        return result

    def result(self) -> dict[str, Any] | None:
        """Return the result, or None while there is none that can be trusted."""
        try:
            return self.read_result()
        except WorkbenchError:
            return None

    def damage(self) -> str | None:
        """Return why the result cannot be trusted; None if it can, or if there is none."""
        try:
            self.read_result()
        except WorkbenchError as error:
            return str(error)
        return None

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
        try:
            found = read_object(self.folder / PROGRESS, Progress)
        except DamagedFile:
            found = None
        return found or {"fraction": 0.0, "last": {}}


def _named(rows: Sequence[tuple[int, int]]) -> str:
    """Return `the row of step 10`, or the number of rows and the first steps."""
    steps = ", ".join(str(step) for step, _ in rows[:5])
    if len(rows) == 1:
        return f"the row of step {steps}"
    return f"{len(rows)} rows (of steps {steps}{', ...' if len(rows) > 5 else ''})"


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the valid rows of a JSON-lines file, without an incomplete last line."""
    return [row.data for row in read_stored_rows(path).rows]
