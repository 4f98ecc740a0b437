"""State of a study from its folder alone, also while a launch runs. Imports nothing heavy."""

from __future__ import annotations

import fcntl
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.record import CONFIG, TrialRecord
from workbench.result_files import DamagedFile, StudyRecord, read_object

STUDY, LOCK = "study.json", ".lock"

STATES = ("done", "running", "stopped", "failed", "new")
"""`stopped`: a checkpoint exists, and no process runs the trial."""


@dataclass(frozen=True)
class TrialState:
    """State of one trial."""

    id: str
    condition: str
    seed: int
    state: str
    """One of `STATES`."""
    fraction: float
    """Completed fraction of the training at the last measurement."""
    primary: float | None
    """Primary metric at the last measurement."""
    failure: str | None
    """Why it failed, or why its result cannot be trusted."""


@dataclass(frozen=True)
class StudyState:
    """State of a study and of all its trials."""

    study: str
    primary: str
    running: bool
    """Whether a launch runs; if it runs on another machine, this cannot be checked."""
    holder: str | None
    """Process and machine of the last launch, if it left its mark."""
    trials: tuple[TrialState, ...]

    def counts(self) -> dict[str, int]:
        """Return the number of trials in each state that occurs."""
        states = [trial.state for trial in self.trials]
        return {state: states.count(state) for state in STATES if state in states}

    def as_json(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return asdict(self) | {"counts": self.counts()}


def read_state(folder: Path) -> StudyState:
    """Read the state of the study in a folder.

    Raises:
        WorkbenchError: its manifest is damaged.
    """
    manifest = read_manifest(folder)
    if not manifest:
        raise WorkbenchError(f"{folder / STUDY}: no such file")
    holder = lock_holder(folder)
    running = holder is not None and is_held(folder, holder)
    started = _started(manifest) if running else None
    primary = str(manifest["primary"])
    trials = tuple(_trial(folder, entry, primary, started) for entry in manifest["trials"])
    return StudyState(str(manifest["study"]), primary, running, holder, trials)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a study's manifest; empty if there is none.

    Raises:
        WorkbenchError: it is damaged.
    """
    try:
        return read_object(folder / STUDY, StudyRecord) or {}
    except DamagedFile as error:
        raise WorkbenchError(
            f"{error}; move it away, and `workbench ablate` of the study file writes it again"
        ) from None


def lock_holder(folder: Path) -> str | None:
    """Return process and machine of the last launch, as `process 12 on host`."""
    try:
        return (folder / LOCK).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def is_held(folder: Path, holder: str) -> bool:
    """Whether the holder of a lock still runs; assumed if it runs on another machine.

    The lock itself is tried only if such a process exists: a try of a free lock could disturb a
    launch that starts at the same moment.
    """
    found = re.fullmatch(r"process (\d+) on (.*)", holder)
    if found is None:
        return False
    if found[2] != platform.node():
        return True
    try:
        os.kill(int(found[1]), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # the process of another user
        pass
    with (folder / LOCK).open(encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _started(manifest: Mapping[str, Any]) -> float | None:
    """Return the time at which the latest launch began, in seconds since the epoch."""
    launches = manifest.get("launches") or []
    try:
        return datetime.fromisoformat(launches[-1]["started"]).timestamp() if launches else None
    except (ValueError, OverflowError):  # written by hand
        return None


def _trial(
    folder: Path, entry: Mapping[str, Any], primary: str, started: float | None
) -> TrialState:
    record = TrialRecord(folder / entry["folder"], entry["id"])
    state = {"partial": "stopped"}.get(record.state(), record.state())
    progress = record.last_progress()
    metrics, fraction = progress.get("last") or {}, float(progress.get("fraction", 0.0))
    if state == "done":
        metrics, fraction = (record.result() or {}).get("metrics") or metrics, 1.0
    elif state != "failed" and started is not None and _begun(record) >= started:
        state = "running"
    value = metrics.get(primary)
    return TrialState(
        id=str(entry["id"]),
        condition=str(entry["condition"]),
        seed=int(entry["seed"]),
        state=state,
        fraction=fraction,
        primary=float(value) if isinstance(value, int | float) else None,
        failure=record.failure() if state == "failed" else record.damage(),
    )


def _begun(record: TrialRecord) -> float:
    """Return the time at which a process last began the trial."""
    try:
        return (record.folder / CONFIG).stat().st_mtime
    except OSError:
        return -1.0
