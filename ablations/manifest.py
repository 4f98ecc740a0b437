"""What the launches of a study leave beside its trials, and the lock that keeps them apart."""

from __future__ import annotations

import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ablations.config_diff import differences
from ablations.plan import Plan
from workbench.errors import WorkbenchError
from workbench.record import write_text

STUDY, COPY, LOCK = "study.json", "study.yaml", ".lock"
PACKAGES = ("muzero-workbench", "torch", "torch-geometric", "numpy", "ray", "mlflow")


class Ledger:
    """`study.json`: the plan as analysis reads it, and every launch with what it ran on."""

    def __init__(self, plan: Plan, command: str) -> None:
        self._plan = plan
        self._command = command
        self._path = plan.folder / STUDY
        self._earlier = read_ledger(plan.folder).get("launches", [])

    def write(self) -> None:
        """The plan, with the launches there were; and a copy of the study file."""
        write_text(self._plan.folder / COPY, self._plan.study.file.read_text(encoding="utf-8"))
        self._write(self._earlier)

    def begin(self) -> None:
        """Note a launch that has begun."""
        self._started = datetime.now(UTC)
        self._write([*self._earlier, self._launch(None)])

    def end(self) -> None:
        """Note how long the launch took, however it ended."""
        seconds = (datetime.now(UTC) - self._started).total_seconds()
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


def read_ledger(folder: Path) -> dict[str, Any]:
    """A study's ledger; empty if there is none.

    Raises:
        WorkbenchError: it is damaged.
    """
    path = folder / STUDY
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise WorkbenchError(
            f"{path}: cannot be read as JSON ({error}); move it away to have it written anew"
        ) from None
    return data


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
    """The processor's own name, where the system tells it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder of a study or a trial: the lock goes with the process, however that ends.

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
