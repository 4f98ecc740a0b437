"""A study's folder as data frames: trials, curves, last checkpoints, error by unroll depth."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.evaluation import evaluation_frame, read_evaluation
from workbench import record
from workbench.errors import WorkbenchError
from workbench.record import TrialRecord

STUDY = "study.json"
BY_STATE = "by_state.npz"
PARTS = ("representation", "dynamics", "prediction", "total")
_ROW = ("trial", "condition", "seed", "state")
_COUNTERS = ("step", "updates")
_AT_DEPTH = re.compile(r"^(?P<metric>.+)@(?P<depth>\d+)$")


@dataclass(frozen=True, eq=False)
class StudyResults:
    """Everything a study left behind; a trial without results is a row, never an exception."""

    folder: Path
    study: dict[str, Any]
    trials: pd.DataFrame
    """trial, condition, seed, state, step, updates, seconds, memory_mb, parameters_*, hash, ..."""
    curves: pd.DataFrame
    """trial, condition, seed, state, step, updates, metric, value: a row a measurement."""
    final: pd.DataFrame
    """A row a trial, a column a metric, at the LAST checkpoint, whatever its state; what was
    measured while training stands before what was measured afterwards."""
    by_depth: pd.DataFrame
    """trial, condition, seed, state, metric, depth, value, n: the same checkpoint, by depth."""
    evaluation: pd.DataFrame
    """What `workbench evaluate` measured of finished trials, a row a reading: trial, condition,
    seed, metric, depth, a column a coordinate (source, simulations, ...), value, chance, oracle,
    n."""
    failures: pd.DataFrame
    """trial, condition, seed, state, reason, detail: every trial that is not done."""
    levels: dict[str, dict[str, float]]
    """metric -> {"chance", "oracle"}, where all trials agree on it."""

    @property
    def conditions(self) -> list[str]:
        """In the order of the study file."""
        return [str(condition["name"]) for condition in self.study["conditions"]]

    @property
    def done(self) -> pd.DataFrame:
        """`final` of finished trials: the only rows that means and tests are made of."""
        return self.final[self.final["state"] == "done"]

    @property
    def name(self) -> str:
        return str(self.study["study"])

    @property
    def by_state(self) -> dict[str, Path]:
        """By finished trial, the arrays that `workbench evaluate` stored position by position."""
        done = set(self.done["trial"])
        files = {entry["id"]: self.folder / entry["folder"] / record.EVALUATION / BY_STATE
                 for entry in self.study["trials"] if entry["id"] in done}  # fmt: skip
        return {trial: path for trial, path in files.items() if path.exists()}

    def by_seed(self, metric: str) -> pd.DataFrame:
        """Finished trials as a table seed x condition, NaN where there is no value."""
        done = self.done
        values = done[metric] if metric in done else pd.Series(float("nan"), index=done.index)
        table = pd.DataFrame({"seed": done["seed"], "condition": done["condition"], "v": values})
        return table.pivot_table(
            index="seed", columns="condition", values="v", aggfunc="first", dropna=False
        ).reindex(columns=self.conditions)


def stored_study(name: str) -> Path:
    """For notebooks: the folder that WORKBENCH_STUDY says, else the next `outputs/NAME` upwards."""
    given, here = os.environ.get("WORKBENCH_STUDY"), Path.cwd()
    if given:
        return Path(given)
    places = [folder / "outputs" / name for folder in (here, *here.parents)]
    return next((place for place in places if place.is_dir()), places[0])


def load_study(folder: Path) -> StudyResults:
    """Read the study in `folder`; raises WorkbenchError where there is none."""
    study = read_study(folder)
    read = [_Trial(entry, folder) for entry in study["trials"]]
    curves = [row for trial in read for row in trial.curve()]
    depths = [row for trial in read for row in trial.depths()]
    failures = [trial.failure() for trial in read if trial.state != "done"]
    return StudyResults(
        folder=folder,
        study=study,
        trials=pd.DataFrame([trial.facts() for trial in read]),
        curves=pd.DataFrame(curves, columns=[*_ROW, *_COUNTERS, "metric", "value"]),
        final=_final(read),
        by_depth=pd.DataFrame(depths, columns=[*_ROW, "metric", "depth", "value", "n"]),
        evaluation=evaluation_frame((trial.row, trial.evaluated) for trial in read),
        failures=pd.DataFrame(failures, columns=[*_ROW, "reason", "detail"]),
        levels=_levels([trial.levels() for trial in read]),
    )


class _Trial:
    """One trial as it lies on disk."""

    def __init__(self, entry: dict[str, Any], study: Path) -> None:
        self.row = {"trial": entry["id"], "condition": entry["condition"], "seed": entry["seed"]}
        self.record = TrialRecord(study / entry["folder"])
        self.result = self.record.result() or {}
        self.state = self.record.state()
        damaged = not self.result and (self.record.folder / record.RESULT).exists()
        self.unreadable = f"{record.RESULT} cannot be read" if damaged else ""
        self.row["state"] = self.state
        self.rows = record.read_rows(self.record.folder / record.METRICS)
        self.last: dict[str, Any] = (self.rows or [{}])[-1]
        self.evaluated = read_evaluation(self.record.folder) if self.result else []
        self.plain = [measured for measured in self.evaluated if measured.plain]
        if self.result:
            reached = {"step": self.result.get("steps"), "updates": self.result.get("updates")}
            afterwards = {measured.reading.metric: measured.value for measured in self.plain}
            self.last = reached | afterwards | self.result.get("metrics", {})

    def facts(self) -> dict[str, Any]:
        parameters = self.result.get("parameters", {})
        evaluation = self.result.get("evaluation_set", {})
        return {
            **self.row,
            **{name: self.last.get(name) for name in _COUNTERS},
            **{name: self.result.get(name) for name in ("seconds", "evaluation_seconds")},
            "memory_mb": self.result.get("memory_mb"),
            **{f"parameters_{part}": parameters.get(part) for part in PARTS},
            "code": self.result.get("code"),
            "evaluation_code": tuple(sorted({measured.code for measured in self.evaluated})),
            "evaluation_hash": evaluation.get("hash"),
            "positions": evaluation.get("positions"),
            "notes": tuple(self.result.get("notes", ())),
        }

    def curve(self) -> list[dict[str, Any]]:
        return [
            {
                **self.row,
                **{counter: row.get(counter) for counter in _COUNTERS},
                "metric": name,
                "value": _number(value),
            }
            for row in self.rows
            for name, value in row.items()
            if name not in _COUNTERS
        ]

    def final(self) -> dict[str, Any]:
        counters = {name: self.last.get(name) for name in _COUNTERS}
        metrics = {k: _number(v) for k, v in self.last.items() if k not in _COUNTERS}
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
                "value": _number(self.last[name]),
                "n": _count(counts.get(metric, []), depth - first[metric]),
            }
            for metric, depth, name in sorted(found)
        ]

    def levels(self) -> dict[str, dict[str, float | None]]:
        found: dict[str, dict[str, float | None]] = {
            measured.reading.metric: {**measured.levels} for measured in self.plain
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
    """What `study.json` says; raises WorkbenchError."""
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
    return study


def _final(trials: list[_Trial]) -> pd.DataFrame:
    rows = [trial.final() for trial in trials if trial.last]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=[*_ROW, *_COUNTERS])


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _count(counts: list[int], index: int) -> int | None:
    """Counts start at the first depth that the metric has: 0, or 1 for what an edge predicts."""
    return counts[index] if index < len(counts) else None


def _levels(trials: list[dict[str, dict[str, float | None]]]) -> dict[str, dict[str, float]]:
    """Levels that every trial gives alike: worlds may differ between conditions."""
    seen: dict[tuple[str, str], set[float]] = {}
    for given in trials:
        for metric, levels in given.items():
            for kind, value in levels.items():
                if value is not None:
                    seen.setdefault((metric, kind), set()).add(float(value))
    agreed: dict[str, dict[str, float]] = {}
    for (metric, kind), values in seen.items():
        if len(values) == 1:
            agreed.setdefault(metric, {})[kind] = values.pop()
    return agreed
