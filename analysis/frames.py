"""A study's folder as data frames: trials, curves, last checkpoints, errors by unroll depth."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.evaluation import StoredEvaluation, evaluation_frame, finite_or_nan, read_evaluation
from workbench import record
from workbench.errors import WorkbenchError
from workbench.record import TrialRecord
from workbench.renames import with_current_names
from workbench.result_files import StudyRecord, read_object, read_stored_rows

STUDY = "study.json"
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
    damage: pd.DataFrame
    """Files that cannot be used, and values that are not finite: trial, condition, seed, state,
    reason. The trial is reported without them."""
    position_files: dict[str, Path]
    """Files with records by position, by finished trial; only those that can be read."""
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
    damage = [row for trial in trials for row in trial.damage_rows(folder)]
    return StudyResults(
        folder=folder,
        study=study,
        trials=pd.DataFrame([trial.summary(_changed_modules(trials)) for trial in trials]),
        curves=pd.DataFrame(curves, columns=[*_ROW, *_COUNTERS, "metric", "value"]),
        final=_final(trials),
        by_depth=pd.DataFrame(depths, columns=[*_ROW, "metric", "depth", "value", "n"]),
        evaluation=evaluation_frame((trial.row, trial.measurements) for trial in trials),
        failures=pd.DataFrame(failures, columns=[*_ROW, "reason", "detail"]),
        damage=pd.DataFrame(damage, columns=[*_ROW, "reason"]),
        position_files={
            trial.row["trial"]: trial.evaluation.positions
            for trial in trials
            if trial.evaluation.positions is not None
        },
        levels=_levels([trial.levels() for trial in trials]),
    )


class _Trial:
    """One trial as stored on disk."""

    def __init__(self, entry: dict[str, Any], study: Path) -> None:
        self.row = {"trial": entry["id"], "condition": entry["condition"], "seed": entry["seed"]}
        self.record = TrialRecord(study / entry["folder"], entry["id"])
        self.result = with_current_names(self.record.result() or {})
        self.state = self.record.state()
        self.untrusted = self.record.damage() or ""
        self.row["state"] = self.state
        stored = read_stored_rows(self.record.folder / record.METRICS)
        self.rows = with_current_names([row.data for row in stored.rows])
        self.last: dict[str, Any] = (self.rows or [{}])[-1]
        self.evaluation = (
            read_evaluation(self.record.folder, entry["id"])
            if self.result
            else StoredEvaluation([], None, [])
        )
        self.measurements = self.evaluation.measurements
        self.scalars = [one for one in self.measurements if one.is_scalar]
        self.damage = [
            *([self.untrusted] if self.untrusted else []),
            *self.result.get("damage", []),
            *stored.damage,
            *self.evaluation.damage,
            *self._non_finite(),
        ]
        if self.result:
            reached = {"step": self.result.get("steps"), "updates": self.result.get("updates")}
            afterwards = {one.reading.metric: one.value for one in self.scalars}
            self.last = reached | afterwards | self.result.get("metrics", {})

    def _non_finite(self) -> Iterator[str]:
        """Yield a message for each value of the last checkpoint that is not a finite number."""
        file = self.record.folder / (record.RESULT if self.result else record.METRICS)
        values = self.result.get("metrics", {}) if self.result else self.last
        for name, value in values.items():
            if value is not None and not math.isfinite(value):
                yield f"{file}: {name} is {value}; the value counts as missing"

    def damage_rows(self, study: Path) -> list[dict[str, Any]]:
        """Return one row per damaged file, with paths relative to the study's folder."""
        return [{**self.row, "reason": text.replace(f"{study}/", "")} for text in self.damage]

    def version(self, changed: Set[str]) -> str | None:
        """Return the version of the code that trained it: equal unless a changed module differs."""
        code: str | None = self.result.get("code")
        files = self.result.get("code_files", {})
        if not files or "+" in (code or ""):
            return code
        return ",".join(f"{module} {files.get(module)}" for module in sorted(changed)) or "same"

    def evaluation_versions(self, version: str | None) -> tuple[str | None, ...]:
        """Return the versions of the code that measured it: `version` unless a module differs."""
        trained = self.result.get("code_files", {})
        return tuple(
            sorted({
                version
                if trained and one.code_files and not _changed([trained, one.code_files])
                else one.code
                for one in self.measurements
            }, key=str)
        )  # fmt: skip

    def summary(self, changed: Set[str]) -> dict[str, Any]:
        version = self.version(changed)
        parameters = self.result.get("parameters", {})
        evaluation = self.result.get("evaluation_set", {})
        return {
            **self.row,
            **{name: self.last.get(name) for name in _COUNTERS},
            **{name: self.result.get(name) for name in ("seconds", "evaluation_seconds")},
            "memory_mb": self.result.get("memory_mb"),
            **{f"parameters_{part}": parameters.get(part) for part in PARTS},
            "code": version,
            "evaluation_code": self.evaluation_versions(version),
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
        reason = self.untrusted or (detail.splitlines()[-1].strip() if detail else "")
        if not reason:
            reason = f"not finished, {reached}" if reached else "not started"
        return {**self.row, "reason": reason, "detail": detail}


def _changed_modules(trials: list[_Trial]) -> set[str]:
    """Return the modules of which finished trials used different versions."""
    return _changed([trial.result.get("code_files", {}) for trial in trials])


def _changed(versions: Iterable[Mapping[str, str]]) -> set[str]:
    """Return the modules that do not have the same hash wherever they are used."""
    hashes: dict[str, set[str]] = {}
    for files in versions:
        for module, digest in files.items():
            hashes.setdefault(module, set()).add(digest)
    return {module for module, found in hashes.items() if len(found) > 1}


def read_study(folder: Path) -> dict[str, Any]:
    """Read `study.json`.

    Raises:
        WorkbenchError: it is missing or damaged.
    """
    path = folder / STUDY
    study = read_object(path, StudyRecord)
    if study is None:
        raise WorkbenchError(
            f"{path}: no such file; give the folder of a study that `workbench ablate` has run"
        )
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
                if value is not None and math.isfinite(value):
                    seen.setdefault((metric, kind), set()).add(float(value))
    shared: dict[str, dict[str, float]] = {}
    for (metric, kind), values in seen.items():
        if len(values) == 1:
            shared.setdefault(metric, {})[kind] = values.pop()
    return shared
