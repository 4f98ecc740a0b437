"""A finished study of two conditions, written by hand, for tests of MLflow without a launch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workbench.config import SCHEMA_VERSION
from workbench.result_files import stored_config_id

PRIMARY, PREDICTIVE = "decision/search_regret_decisive", "predictive/value_error"
HASH = "7bef92ae04c4782ad6a2f402b8adf7034d8de5f39e930ac982daf42365fb6660"


def row(step: int, updates: int, regret: float, **more: float) -> dict[str, Any]:
    """A row of `metrics.jsonl`."""
    return {"step": step, "updates": updates, PRIMARY: regret, PREDICTIVE: regret / 2, **more}


def trial_id(folder: Path) -> str:
    """Id of a trial that `write_trial` wrote."""
    return str(stored_config_id(folder / "config.yaml", SCHEMA_VERSION))


def write_trial(folder: Path, rows: list[dict[str, Any]], *, done: bool = True) -> None:
    """Write the files of a trial."""
    folder.mkdir(parents=True, exist_ok=True)
    config = f"environment: {{name: tic_tac_toe}}\nseed: 0\nname: {folder.name}\n"
    (folder / "config.yaml").write_text(config)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    if done:
        last = {k: v for k, v in rows[-1].items() if k not in ("step", "updates")}
        result = {
            "id": trial_id(folder), "schema": SCHEMA_VERSION, "code": "0",
            "steps": rows[-1]["step"],
            "updates": rows[-1]["updates"], "metrics": last, "levels": {}, "seconds": 3.0,
            "evaluation_set": {"hash": HASH, "positions": 4520, "counts": {}},
        }  # fmt: skip
        (folder / "result.json").write_text(json.dumps(result))


def write_study(folder: Path, *, name: str = "small") -> Path:
    """Write a study with conditions `a` and `b`, seeds 0 and 1, and return its folder."""
    trials = [(condition, seed) for condition in ("a", "b") for seed in (0, 1)]
    for index, (condition, seed) in enumerate(trials):
        final = 0.1 * (index + 1)
        rows = [row(0, 0, 0.9), row(1000, 20, 0.5, **{"training/loss": 2.0}), row(2000, 40, final)]
        write_trial(folder / "trials" / f"{condition}{seed}", rows)
    study = {
        "study": name,
        "question": "Is a better than b?",
        "file": "small.yaml",
        "primary": PRIMARY,
        "predictive": PREDICTIVE,
        "axes": {"planner.simulations": ["a", "b"]},
        "baseline": "a",
        "conditions": [{"name": c, "values": {"planner.simulations": c}} for c in ("a", "b")],
        "comparisons": [],
        "seeds": [0, 1],
        "trials": [
            {
                "id": trial_id(folder / "trials" / f"{c}{seed}"),
                "condition": c,
                "seed": seed,
                "folder": f"trials/{c}{seed}",
            }
            for c, seed in trials
        ],
        "command": "workbench ablate small.yaml",
        "launches": [
            {"started": "2026-12-01T04:25:50+00:00", "seconds": 29.3, "cpu": "", "versions": {}}
        ],
    }
    (folder / "study.json").write_text(json.dumps(study))
    return folder
