"""A study's folder as data frames: trials, curves, last checkpoints, errors by unroll depth."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.evaluation import evaluation_frame, finite_or_nan, read_evaluation
from workbench import record
from workbench.errors import WorkbenchError
from workbench.record import TrialRecord
from workbench.renames import with_current_names

STUDY = "study.json"
POSITION_FILE = "by_state.npz"
PARTS = ("representation", "dynamics", "prediction", "total")
_ROW = ("trial", "condition", "seed", "state")
_COUNTERS = ("step", "updates")
_AT_DEPTH = re.compile(r"^(?P<metric>.+)@(?P<depth>\d+)$")


@dataclass(frozen=True, eq=False)
class StudyResults:
    """All stored results of a study; a trial without results is a row, never an exception."""

    folder: Path
    study: dict[str, Any]
    trials: pd.DataFrame
    """One row per trial: trial, condition, seed, state, step, updates, seconds, memory_mb, ..."""
    curves: pd.DataFrame
    """One row per measurement: trial, condition, seed, state, step, updates, metric, value."""
    final: pd.DataFrame
    """One row per trial, one column per metric, at the LAST checkpoint of a trial in any state.
    Values measured during training take precedence over those measured afterwards."""
    by_depth: pd.DataFrame
    """The same checkpoint by depth: trial, condition, seed, state, metric, depth, value, n."""
    evaluation: pd.DataFrame
    """Results of `workbench evaluate` on finished trials, one row per measurement: trial,
    condition, seed, metric, depth, one column per coordinate (source, simulations, ...), value,
    naive, oracle, n, set."""
    failures: pd.DataFrame
    """Trials that are not done: trial, condition, seed, state, reason, detail."""
    levels: dict[str, dict[str, float]]
    """Levels `naive` and `oracle` by metric; only levels on which all trials agree."""

    @property
    def conditions(self) -> list[str]:
        """Names of the conditions in the order of the study file."""
        return [str(condition["name"]) for condition in self.study["conditions"]]

    @property
    def done(self) -> pd.DataFrame:
        """Rows of `final` of finished trials; means and tests use only these."""
        return self.final[self.final["state"] == "done"]

    @property
    def name(self) -> str:
        """Name of the study."""
        return str(self.study["study"])

    @property
    def position_files(self) -> dict[str, Path]:
        """Files with records by position, of the finished trials for which they exist."""
        done = set(self.done["trial"])
        files = {entry["id"]: self.folder / entry["folder"] / record.EVALUATION / POSITION_FILE
                 for entry in self.study["trials"] if entry["id"] in done}  # fmt: skip
        return {trial: path for trial, path in files.items() if path.exists()}

    def by_seed(self, metric: str) -> pd.DataFrame:
        """Return the values of finished trials as a table seed x condition; NaN if missing."""
        done = self.done
        values = done[metric] if metric in done else pd.Series(float("nan"), index=done.index)
        table = pd.DataFrame({"seed": done["seed"], "condition": done["condition"], "v": values})
        return table.pivot_table(
            index="seed", columns="condition", values="v", aggfunc="first", dropna=False
        ).reindex(columns=self.conditions)


def find_study(name: str) -> Path:
    """Return the study folder for a notebook.

    This is WORKBENCH_STUDY if set, else NAME in the outputs folder. A relative path holds in this
    folder or in the nearest parent that has the study: Jupyter starts notebooks in their folder.
    """
    outputs = Path(os.environ.get("WORKBENCH_OUTPUTS") or "outputs")
    given = Path(os.environ.get("WORKBENCH_STUDY") or outputs / name)
    here = Path.cwd()
    candidates = [folder / given for folder in (here, *here.parents)]
    return next((folder for folder in candidates if (folder / STUDY).is_file()), candidates[0])


def load_study(folder: Path) -> StudyResults:
    """Read the results of the study in `folder`.

    Raises:
        WorkbenchError: there is no readable study.
    """
    study = read_study(folder)
    trials = [_Trial(entry, folder) for entry in study["trials"]]
    curves = [row for trial in trials for row in trial.curve()]
    depths = [row for trial in trials for row in trial.depths()]
    failures = [trial.failure() for trial in trials if trial.state != "done"]
    return StudyResults(
        folder=folder,
        study=study,
        trials=pd.DataFrame([trial.summary() for trial in trials]),
        curves=pd.DataFrame(curves, columns=[*_ROW, *_COUNTERS, "metric", "value"]),
        final=_final(trials),
        by_depth=pd.DataFrame(depths, columns=[*_ROW, "metric", "depth", "value", "n"]),
        evaluation=evaluation_frame((trial.row, trial.measurements) for trial in trials),
        failures=pd.DataFrame(failures, columns=[*_ROW, "reason", "detail"]),
        levels=_levels([trial.levels() for trial in trials]),
    )


class _Trial:
    """One trial as stored on disk."""

    def __init__(self, entry: dict[str, Any], study: Path) -> None:
        self.row = {"trial": entry["id"], "condition": entry["condition"], "seed": entry["seed"]}
        self.record = TrialRecord(study / entry["folder"])
        self.result = with_current_names(self.record.result() or {})
        self.state = self.record.state()
        damaged = not self.result and (self.record.folder / record.RESULT).exists()
        self.unreadable = f"{record.RESULT} cannot be read" if damaged else ""
        self.row["state"] = self.state
        self.rows = with_current_names(record.read_rows(self.record.folder / record.METRICS))
        self.last: dict[str, Any] = (self.rows or [{}])[-1]
        self.measurements = read_evaluation(self.record.folder) if self.result else []
        self.scalars = [one for one in self.measurements if one.is_scalar]
        if self.result:
            reached = {"step": self.result.get("steps"), "updates": self.result.get("updates")}
            afterwards = {one.reading.metric: one.value for one in self.scalars}
            self.last = reached | afterwards | self.result.get("metrics", {})

    def summary(self) -> dict[str, Any]:
        parameters = self.result.get("parameters", {})
        evaluation = self.result.get("evaluation_set", {})
        return {
            **self.row,
            **{name: self.last.get(name) for name in _COUNTERS},
            **{name: self.result.get(name) for name in ("seconds", "evaluation_seconds")},
            "memory_mb": self.result.get("memory_mb"),
            **{f"parameters_{part}": parameters.get(part) for part in PARTS},
            "code": self.result.get("code"),
            "evaluation_code": tuple(sorted({one.code for one in self.measurements})),
            "evaluation_hash": evaluation.get("hash"),
            "positions": evaluation.get("positions"),
            "symmetry_classes": evaluation.get("symmetry_classes") or None,
            "notes": tuple(self.result.get("notes", ())),
        }

    def curve(self) -> list[dict[str, Any]]:
        return [
            {
                **self.row,
                **{counter: row.get(counter) for counter in _COUNTERS},
                "metric": name,
                "value": finite_or_nan(value),
            }
            for row in self.rows
            for name, value in row.items()
            if name not in _COUNTERS
        ]

    def final(self) -> dict[str, Any]:
        counters = {name: self.last.get(name) for name in _COUNTERS}
        metrics = {k: finite_or_nan(v) for k, v in self.last.items() if k not in _COUNTERS}
        return {**self.row, **counters, **metrics}

    def depths(self) -> list[dict[str, Any]]:
        found = [(m["metric"], int(m["depth"]), name) for name in self.last
                 if (m := _AT_DEPTH.match(name))]  # fmt: skip
        first = {metric: min(k for m, k, _ in found if m == metric) for metric, _, _ in found}
        counts = self.result.get("evaluation_set", {}).get("counts", {})
        return [
            {
                **self.row,
                "metric": metric,
                "depth": depth,
                "value": finite_or_nan(self.last[name]),
                "n": _count(counts.get(metric, []), depth - first[metric]),
            }
            for metric, depth, name in sorted(found)
        ]

    def levels(self) -> dict[str, dict[str, float | None]]:
        found: dict[str, dict[str, float | None]] = {
            one.reading.metric: {**one.levels} for one in self.scalars
        }
        found.update(self.result.get("levels", {}))
        return found

    def failure(self) -> dict[str, Any]:
        detail = self.record.failure() or ""
        reached = f"reached step {self.last['step']:,}" if "step" in self.last else ""
        reason = self.unreadable or (detail.splitlines()[-1].strip() if detail else "")
        if not reason:
            reason = f"not finished, {reached}" if reached else "not started"
        return {**self.row, "reason": reason, "detail": detail}


def read_study(folder: Path) -> dict[str, Any]:
    """Read `study.json`.

    Raises:
        WorkbenchError: it is missing, is not JSON, or lacks keys.
    """
    path = folder / STUDY
    try:
        study: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WorkbenchError(
            f"{path}: no such file; give the folder of a study that `workbench ablate` has run"
        ) from None
    except ValueError as error:
        raise WorkbenchError(f"{path}: cannot be read as JSON: {error}") from None
    missing = {"study", "question", "primary", "predictive", "conditions", "trials"} - set(study)
    if missing:
        raise WorkbenchError(f"{path}: lacks {', '.join(sorted(missing))}")
    current: dict[str, Any] = with_current_names(study)
    return current


def _final(trials: list[_Trial]) -> pd.DataFrame:
    rows = [trial.final() for trial in trials if trial.last]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=[*_ROW, *_COUNTERS])


def _count(counts: list[int], index: int) -> int | None:
    """Counts start at the metric's first depth: 0, or 1 for predictions along a transition."""
    return counts[index] if index < len(counts) else None


def _levels(trials: list[dict[str, dict[str, float | None]]]) -> dict[str, dict[str, float]]:
    """Levels on which all trials agree; environments may differ between conditions."""
    seen: dict[tuple[str, str], set[float]] = {}
    for by_metric in trials:
        for metric, levels in by_metric.items():
            for kind, value in levels.items():
                if value is not None:
                    seen.setdefault((metric, kind), set()).add(float(value))
    shared: dict[str, dict[str, float]] = {}
    for (metric, kind), values in seen.items():
        if len(values) == 1:
            shared.setdefault(metric, {})[kind] = values.pop()
    return shared
