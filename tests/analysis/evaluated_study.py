"""Synthetic but consistent results of `workbench evaluate` in a trial's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np

PARTS = ("dynamics", "prior", "value")
REPLACED = {"dynamics": "true", "prior": "uniform", "value": "oracle"}
SOURCES = ("behaviour", "uniform", "oracle")
BUDGETS = (0, 5, 25)
CODE = "c0de"


def write_measure(
    trial: Path,
    measure: str,
    metrics: Mapping[str, float | None],
    levels: Mapping[str, Mapping[str, float]] | None = None,
    counts: Mapping[str, Sequence[int]] | None = None,
) -> None:
    contents = {
        "checkpoint": "a7a0", "measure": {"name": measure}, "version": 1, "metric_versions": {},
        "code": CODE, "metrics": metrics, "levels": levels or {}, "counts": counts or {},
        "evaluation_set": {"hash": "", "positions": 6}, "details": False, "seconds": 1.0,
    }  # fmt: skip
    path = trial / "evaluation" / f"{measure}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(contents))


def write_evaluation(trial: Path, seed: int) -> None:
    """Write every measure that a figure uses; the values depend on the seed."""
    random = np.random.default_rng(seed)
    write_measure(trial, "predictive", *_by_source(random))
    weighted = "predictive/decision_weighted_error"
    write_measure(trial, "decision_weighted_error", {weighted: 0.3 + random.random()},
                  {weighted: {"naive": 0.8, "oracle": 0.0}})  # fmt: skip
    write_measure(trial, "search_budget", *_budget(random))
    write_measure(trial, "transplant", substituted_regrets(random))
    write_measure(trial, "flips", {
        f"decision/flip_{what}@{k}[simulations=25]": random.random() / k
        for k in (1, 2, 3) for what in ("rate", "gain")
    })  # fmt: skip
    write_measure(trial, "open_loop_play", {
        f"decision/open_loop_score[interval={n}]": 1 / n for n in (1, 2, 5)
    })  # fmt: skip
    write_states(trial, random)


def substituted_regrets(random: np.random.Generator) -> dict[str, float | None]:
    """Return random regrets of all substitutions, and their Shapley values by subset."""
    found: dict[str, float | None] = {}
    for simulations in (0, 25):
        regret = {
            frozenset(chosen): float(random.uniform(0, 1))
            for size in range(4)
            for chosen in combinations(PARTS, size)
        }
        for swapped, value in regret.items():
            at = ",".join(f"{p}={REPLACED[p] if p in swapped else 'learned'}" for p in PARTS)
            found[f"decision/transplant_regret[{at},simulations={simulations}]"] = value
        for part in PARTS:
            effect = 0.0
            for others in (s for s in regret if part not in s):
                weight = factorial(len(others)) * factorial(2 - len(others)) / factorial(3)
                effect += weight * (regret[others | {part}] - regret[others])
            found[f"decision/substitution_effect[part={part},simulations={simulations}]"] = effect
    return found


def write_states(
    trial: Path, random: np.random.Generator, cells: tuple[int, int] = (2, 3), columns: bool = False
) -> None:
    """Write six positions with one stone per player; only the last two are decisive."""
    height, width = cells
    actions = width if columns else height * width
    observation = np.zeros((6, 3, height, width), bool)
    observation[:, 0, 0, 0] = observation[:, 1, 0, 1] = True
    q = np.zeros((6, actions), np.float32)
    q[4:, -1] = 1.0
    q[:, 0] = -np.inf
    shares = random.dirichlet(np.ones(actions), size=(2, 6)).astype(np.float32)
    move = np.array([1, 1, 1, 1, actions - 1, 1])
    regret = np.array([0, 0, 0, 0, 0, 1], np.float32)
    (trial / "evaluation").mkdir(exist_ok=True)
    np.savez(trial / "evaluation" / "by_state.npz", observation=observation, q=q, prior=shares[0],
             visits=shares[1], move=move, regret=regret, value=regret)  # fmt: skip


def _by_source(
    random: np.random.Generator,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    metrics: dict[str, float | None] = {"predictive/value_error": 0.9}
    levels, counts = {}, {}
    for name, first in (("value_error", 0), ("reward_error", 1), ("latent_error", 1)):
        for i, source in enumerate(SOURCES):
            where = f"[source={source}]"
            counts[f"predictive/{name}{where}"] = [400, 200, 99]
            metrics[f"predictive/{name}{where}"] = float(random.random())
            for k in range(first, first + 3):
                metrics[f"predictive/{name}@{k}{where}"] = 0.1 * k + i + float(random.random())
                levels[f"predictive/{name}@{k}{where}"] = {"naive": 2.0 + i, "oracle": 0.0}
    return metrics, levels, counts


def _budget(random: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    regrets = dict(zip(BUDGETS, sorted(random.random(len(BUDGETS)), reverse=True), strict=True))
    metrics: dict[str, float] = {}
    for simulations, regret in regrets.items():
        metrics[f"decision/search_regret[simulations={simulations}]"] = float(regret)
        metrics[f"decision/planning_gain[simulations={simulations}]"] = float(regrets[0] - regret)
        metrics[f"decision/worsened_rate[simulations={simulations}]"] = simulations / 1000
    levels = {name: {"naive": 0.65, "oracle": 0.0} if "regret" in name else {"naive": 0.0}
              for name in metrics}  # fmt: skip
    return metrics, levels
