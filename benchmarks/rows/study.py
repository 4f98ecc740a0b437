"""A small study from its command to its report, compared with the seconds of its trials."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measurement import Effort, Figure
from benchmarks.timing import TimingPairs

STUDY = """\
study: small
question: How long does a study take beside its trials?
preset: muzero
base: {{procedure.steps: {steps}, procedure.warm_up: 1000, threads: 1}}
axes: {{planner.simulations: [5, 25]}}
seeds: 2
primary: decision/search_regret
predictive: predictive/value_error
"""
TRIALS = 4


def measure(effort: Effort) -> Iterator[Figure]:
    """Measure four trials, at the concurrency that `workbench ablate` chooses: one per core."""
    whole, inside = [], []
    for _ in range(effort.repeats):
        with tempfile.TemporaryDirectory() as folder:
            seconds, of_trials = _run(Path(folder), 3_000 if effort.quick else 20_000)
        whole.append(seconds)
        inside.append(of_trials)
    pairs = TimingPairs(whole, inside)
    yield pairs.figure("study", {"case": "workbench ablate", "trials": TRIALS}, "sum of the trials")


def _run(folder: Path, steps: int) -> tuple[float, float]:
    """Return the seconds of the command, and of training and measuring in all trials."""
    file = folder / "small.yaml"
    file.write_text(STUDY.format(steps=steps), encoding="utf-8")
    arguments = ["-m", "workbench.cli", "ablate", str(file), "--outputs", str(folder / "outputs")]
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    passed = time.perf_counter() - start
    files = (folder / "outputs").glob("*/trials/*/result.json")  # MLflow keeps copies elsewhere
    results = [json.loads(path.read_text()) for path in files]
    return passed, sum(found["seconds"] + found["evaluation_seconds"] for found in results)
