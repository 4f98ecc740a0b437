"""A miniature study on disk, in the layout that `workbench ablate` writes; values are synthetic."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.analysis.evaluated_study import CODE, write_evaluation
from workbench.record import TrialRecord

STEPS = (0, 10_000, 20_000, 30_000, 40_000, 50_000)
DEPTHS = range(6)
SKILL = {"cnn": 0.45, "gcn": 0.53, "gcn-shuffled": 0.43}
ACCURACY = {"cnn": 0.30, "gcn": 0.16, "gcn-shuffled": 0.20}
LEVELS = {
    "decision/search_optimal_rate": {"naive": 0.58, "oracle": 1.0},
    "decision/search_optimal_rate_decisive": {"naive": 0.41, "oracle": 1.0},
    "decision/search_regret": {"naive": 0.31, "oracle": 0.0},
    "decision/search_regret_decisive": {"naive": 0.62, "oracle": 0.0},
    "predictive/value_error": {"naive": 0.55, "oracle": 0.0},
    **{f"predictive/value_error@{k}": {"naive": 0.6, "oracle": 0.0} for k in DEPTHS},
}
ENDS = {
    "code": CODE, "seconds": 812.5, "evaluation_seconds": 31.0, "memory_mb": 640.0,
    "levels": LEVELS, "notes": ["floating point on one thread"],
    "evaluation_set": {
        "hash": "9f2c51d07a33", "positions": 4520,
        "counts": {
            f"predictive/{name}_error": [4520 - 700 * k for k in DEPTHS if k >= first]
            for name, first in (("value", 0), ("policy", 0), ("reward", 1), ("termination", 1))
        },
    },
}  # fmt: skip


def measurement(condition: str, seed: int, step: int) -> dict[str, Any]:
    """Return a row of metrics.jsonl: a smooth learning curve with a little noise."""
    noise = np.random.default_rng([sum(map(ord, condition)), seed, step]).normal
    progress = 1 - np.exp(-step / 15_000)
    regret = max(0.0, 0.62 - SKILL.get(condition, 0.5) * progress + 0.02 * noise())
    error = 0.55 - (0.55 - ACCURACY.get(condition, 0.3)) * progress + 0.01 * noise()
    row: dict[str, Any] = {"step": step, "updates": step // 8, "training/loss": 3 - 2 * progress}
    for agent, worse in (("prior", 1.3), ("search", 1.0)):
        for where, part in (("", 0.5), ("_decisive", 1.0)):
            row[f"decision/{agent}_regret{where}"] = part * worse * regret
            row[f"decision/{agent}_optimal_rate{where}"] = 1 - 0.7 * part * worse * regret
    row |= {"decision/losing_lines": 60.0 * regret, "decision/losing_lines_first": 20.0 * regret,
            "decision/losing_lines_second": 40.0 * regret}  # fmt: skip
    for name, first in (("value", 0), ("policy", 0), ("reward", 1), ("termination", 1)):
        row[f"predictive/{name}_error"] = error
        for k in DEPTHS:
            if k >= first:
                row[f"predictive/{name}_error@{k}"] = error * (1 + 0.2 * k) * 0.7
    return row


def finish_trial(
    folder: Path, condition: str, seed: int, final: Mapping[str, Any] | None = None
) -> None:
    """Write a finished trial; `final` replaces values of the last row."""
    trial = TrialRecord(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [measurement(condition, seed, step) for step in STEPS]
    rows[-1] |= final or {}
    for row in rows:
        trial.append(row, {"step": row["step"], "updates": row["updates"], "seconds": 1.0})
    metrics = {name: value for name, value in rows[-1].items() if name not in ("step", "updates")}
    sizes = {"representation": 20_000 + 400 * len(condition), "dynamics": 9_000, "prediction": 700}
    trial.finish(
        {**ENDS, "id": folder.name, "schema": 2, "metrics": metrics, "steps": STEPS[-1],
         "updates": STEPS[-1] // 8, "parameters": {**sizes, "total": sum(sizes.values())}}
    )  # fmt: skip


def write_study(
    folder: Path,
    conditions: Sequence[str] = ("cnn", "gcn", "gcn-shuffled"),
    seeds: Sequence[int] = (0, 1, 2),
    final: Mapping[tuple[str, int], Mapping[str, Any]] | None = None,
    skip: Sequence[tuple[str, int]] = (),
    **changes: Any,
) -> Path:
    """Write study.json and a finished trial for each condition and seed not in `skip`."""
    plan = [(condition, seed) for condition in conditions for seed in seeds]
    names = {pair: f"{pair[0]}-{pair[1]}" for pair in plan}
    study = {
        "study": "gcn_vs_cnn",
        "question": "Does a graph encoder choose better moves, or only predict better?",
        "file": "configs/gcn_vs_cnn.yaml",
        "primary": "decision/search_regret_decisive",
        "predictive": "predictive/value_error",
        "axes": {"encoder": list(conditions)},
        "baseline": conditions[0],
        "conditions": [{"name": name, "values": {"encoder": name}} for name in conditions],
        "comparisons": [{"baseline": conditions[0], "against": other} for other in conditions[1:]],
        "seeds": list(seeds),
        "match": {"part": "representation", "tolerance": 0.05, "on": "parameters"},
        "budget": {"steps": STEPS[-1]},
        "trials": [
            {"id": name, "condition": pair[0], "seed": pair[1], "folder": f"trials/{name}"}
            for pair, name in names.items()
        ],
        "command": "workbench ablate configs/gcn_vs_cnn.yaml",
        "launches": [{"started": "2026-01-05T10:00:00", "seconds": 7400.0, "cpu": "two cores",
                      "versions": {"torch": "2.13.0", "numpy": "2.4.6"}}],
        **changes,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps(study))
    for pair, name in names.items():
        if pair not in skip:
            finish_trial(folder / "trials" / name, *pair, (final or {}).get(pair))
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of three conditions and three seeds, all finished."""
    return write_study(tmp_path / "gcn_vs_cnn")


@pytest.fixture
def evaluated_study(tmp_path: Path) -> Path:
    """A study of two conditions and two seeds, all finished and evaluated."""
    folder = write_study(tmp_path / "gcn_vs_cnn", conditions=("cnn", "gcn"), seeds=(0, 1))
    for number, trial in enumerate(sorted((folder / "trials").iterdir())):
        write_evaluation(trial, number)
    return folder


@pytest.fixture
def broken_study(tmp_path: Path) -> Path:
    """As `study`, but one trial has failed midway, one is incomplete and one has not started."""
    missing = [("gcn", 2), ("cnn", 2), ("gcn-shuffled", 0)]
    folder = write_study(tmp_path / "gcn_vs_cnn", skip=missing)
    failed = TrialRecord(folder / "trials" / "gcn-2")
    unfinished_trial = TrialRecord(folder / "trials" / "cnn-2")
    for trial, condition in ((failed, "gcn"), (unfinished_trial, "cnn")):
        trial.start({"seed": 2})
        for step in STEPS[:3]:
            row = measurement(condition, 2, step)
            trial.append(row, {"step": step, "updates": row["updates"], "seconds": 1.0})
    failed.fail("Traceback (most recent call last):\n  ...\nTrialDiverged: loss is nan at 2500")
    unfinished_trial.checkpoint.write_bytes(b"weights")
    return folder


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Path]:
    """Return `write_study` bound to a new folder."""
    return partial(write_study, tmp_path / "gcn_vs_cnn")
