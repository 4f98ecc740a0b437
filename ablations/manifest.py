"""Manifest of a study, written at every launch, and the lock of its folder."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ablations.config_diff import differences
from ablations.plan import Plan
from ablations.study_folder import LOCK, STUDY, read_manifest
from workbench.errors import WorkbenchError
from workbench.record import write_text

COPY = "study.yaml"
PACKAGES = ("muzero-workbench", "torch", "torch-geometric", "numpy", "ray", "mlflow")


class StudyManifest:
    """`study.json`: the plan, which analysis reads, and all launches with their machines."""

    def __init__(self, plan: Plan, command: str) -> None:
        self._plan = plan
        self._command = command
        self._path = plan.folder / STUDY
        self._earlier = read_manifest(plan.folder).get("launches", [])

    def write(self) -> None:
        """Write the plan with the earlier launches, and a copy of the study file."""
        write_text(self._plan.folder / COPY, self._plan.study.file.read_text(encoding="utf-8"))
        self._write(self._earlier)

    def begin(self) -> None:
        """Record the start of a launch."""
        self._started, self._clock = datetime.now(UTC), time.monotonic()
        self._write([*self._earlier, self._launch(None)])

    def end(self) -> None:
        """Record the duration of the launch, however it ended."""
        seconds = time.monotonic() - self._clock
        self._write([*self._earlier, self._launch(round(seconds, 1))])

    def _launch(self, seconds: float | None) -> dict[str, Any]:
        return {
            "started": self._started.isoformat(timespec="seconds"),
            "seconds": seconds,
            "versions": {"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
            "cpu": _processor(),
            "cores": os.cpu_count(),
        }

    def _write(self, launches: list[dict[str, Any]]) -> None:
        text = json.dumps(_contents(self._plan, self._command, launches), indent=2)
        write_text(self._path, text + "\n")


def _contents(plan: Plan, command: str, launches: list[dict[str, Any]]) -> dict[str, Any]:
    study = plan.study
    return {
        "study": study.name,
        "question": study.question,
        "file": str(study.file),
        "primary": study.primary,
        "predictive": study.predictive,
        "axes": {name: list(values) for name, values in study.axes.items()},
        "baseline": study.baseline,
        "conditions": [
            {"name": c.name, "values": dict(c.values), "differs": differences(study, c)}
            for c in study.conditions
        ],
        "comparisons": [{"baseline": c.baseline, "against": c.against} for c in study.comparisons],
        "seeds": list(study.seeds),
        "match": study.match.model_dump() if study.match else None,
        "budget": study.budget.model_dump(),
        "trials": [
            {
                "id": trial.id,
                "condition": trial.condition,
                "seed": trial.seed,
                "folder": trial.folder.relative_to(plan.folder).as_posix(),
            }
            for trial in plan.trials
        ],
        "command": command,
        "launches": launches,
    }


def _processor() -> str:
    """Return the processor's name, if the system states it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder of a study or a trial; the lock ends with the process.

    Raises:
        WorkbenchError: another launch holds it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkbenchError(f"{folder}: cannot be made: {error.strerror}") from None
    try:
        stream = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise WorkbenchError(f"{folder}: cannot be written: {error.strerror}") from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "another process"
            raise WorkbenchError(
                f"{folder}: is being run by {holder}; wait for it, or stop it"
            ) from None
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {platform.node()}")
        stream.flush()
        yield
