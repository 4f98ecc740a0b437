"""Trials in processes that are killed by SIGKILL, again and again, against ones that are not.

A server imports everything once and forks a clean process for each start.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.workbench.fakes import TINY, trial
from workbench.record import TrialRecord, read_rows
from workbench.training import checkpoint
from workbench.trial import run_trial
from workbench.types import tree_leaves

QUICK = {
    **TINY,
    "measures": {"predictive": None, "decision": None},
    "procedure.steps": 960,
    "evaluate_every": 3,
}

BOARD = {
    "planner": {"name": "gumbel", "simulations": 4},
    "targets": {"value": {"name": "n_step", "steps": 3}, "next_value": "next_value"},
    "losses.value_equivalence": 0.1,
    "procedure.ema_decay": 0.9,
    "procedure.target_every": 4,
    "procedure.augment": True,
    "procedure.priorities": {"alpha": 0.8, "beta": 0.6},
    "procedure.reanalyse": {"ratio": 0.5},
    "procedure.temperature": {"sampled_actions": 6, "value": [[0.0, 1.0], [0.4, 0.5]]},
    "procedure.memory_mb": 0.02,
}
CARTPOLE = {
    "environment": {"name": "cartpole", "discount": 0.99},
    "planner.q_normalisation": "min_max",
    "targets.value": {"name": "n_step", "steps": 5},
    "procedure.random_start.fraction": 0.0,
    "procedure.temperature": {"sampled_actions": None, "value": [[0.0, 1.0], [0.5, 0.25]]},
    "procedure.priorities.alpha": 1.0,
    "procedure.reanalyse": {"ratio": 0.3, "policy": False},
    "procedure.target_every": 5,
}
PATIENCE = 300
"""Seconds that anything may take on a busy machine before the test gives up."""

TRIALS = {"board": BOARD, "cartpole": CARTPOLE}
KILLS = {"board": ([3], 2), "cartpole": ([2], 1)}
"""Checkpoints, counted from a start, that are torn, and how often it is killed after a new row."""


def run_worker(name: str, folder: Path, interrupted_checkpoint: int | None) -> None:
    """One start of a trial; with `torn`, it dies with half of that checkpoint written."""
    if interrupted_checkpoint is not None:
        checkpoint.torch.save = interrupting_save(torch.save, interrupted_checkpoint)  # type: ignore[attr-defined]
    run_trial(trial(TRIALS[name], base=QUICK), folder)


def interrupting_save(save: Callable[..., None], nth: int) -> Callable[..., None]:
    left = [nth]

    def half(state: Any, stream: Any) -> None:
        left[0] -= 1
        whole = io.BytesIO()
        save(state, whole)
        if not left[0]:
            stream.write(whole.getvalue()[: whole.tell() // 2])
            stream.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        stream.write(whole.getvalue())

    return half


@pytest.fixture(scope="module")
def start() -> Callable[..., Any]:
    context = multiprocessing.get_context("forkserver")
    # The optimisers import the latter when first made, which takes longer than a whole trial.
    context.set_forkserver_preload([__name__, "torch._dynamo"])

    def begin(name: str, folder: Path, interrupted_checkpoint: int | None = None) -> Any:
        process = context.Process(target=run_worker, args=(name, folder, interrupted_checkpoint))
        process.start()
        return process

    return begin


def rows_of(folder: Path) -> int:
    return len(read_rows(folder / "metrics.jsonl"))


def kill_when(process: Any, happened: Callable[[], bool], later: float = 0.0) -> None:
    """SIGKILL from outside, so many seconds after something is seen."""
    until = time.monotonic() + PATIENCE
    while not happened() and process.is_alive() and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(later)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def finish(process: Any) -> None:
    process.join(PATIENCE)
    assert process.exitcode == 0


def final(folder: Path) -> dict[str, Any]:
    """All that the last checkpoint holds of learning: weights, replay, priorities, streams."""
    state = checkpoint.load(folder / "checkpoint.pt")
    assert state is not None
    procedure = {k: v for k, v in state["procedure"].items() if k != "actor"}
    return {**procedure, "streams": state["streams"]}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("name", TRIALS)
def test_killed_and_resumed_trial_has_identical_files_and_weights(
    name: str, start: Callable[..., Any], tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    # First, and to its end: kernels are compiled once for all and kept.
    finish(start(name, whole))
    delays = random.Random(7)
    # Just started; with half of a checkpoint written; at any moment after a row is there that was
    # not there before.
    kill_when(start(name, cut), lambda: cut.exists(), delays.uniform(0, 0.03))
    interruptions, others = KILLS[name]
    for interrupted_checkpoint in interruptions:
        process = start(name, cut, interrupted_checkpoint)
        process.join(PATIENCE)
        assert process.exitcode == -signal.SIGKILL
        assert list(cut.glob(".checkpoint.pt.*.part"))
    for _ in range(others):
        before = rows_of(cut)
        kill_when(start(name, cut), lambda n=before: rows_of(cut) > n, delays.uniform(0, 0.03))
    assert TrialRecord(cut).state() == "partial"
    finish(start(name, cut))

    assert (cut / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert rows_of(cut) > 6
    assert not list(cut.glob(".*.part"))
    mine, theirs = final(cut), final(whole)
    assert mine.keys() == theirs.keys()
    for key in mine:
        assert same(mine[key], theirs[key]), key
    results = [json.loads((folder / "result.json").read_text()) for folder in (cut, whole)]
    assert results[0]["metrics"] == results[1]["metrics"]
    # What was to be tried was there.
    assert mine["updates"] > 30
    assert mine["priorities"]["mass"].unique().numel() > 50
    assert tree_leaves(mine["learner"]["target"]["model"])
    assert {"reanalyse", "priorities"} <= set(mine["streams"])
