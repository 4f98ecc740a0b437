"""Limits of a trial's time and memory, and what a worker makes of them."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray.tune

from ablations import limits
from ablations.interruption import FirstFailure, Interruption
from ablations.jobs import Job, Launch
from ablations.launch import ProgressCallback
from ablations.limits import LimitWatch, TrialLimits
from ablations.worker import Reporter, work
from workbench.errors import TrialStopped
from workbench.record import TrialRecord


def exits(watch_limits: TrialLimits, record: TrialRecord, resident: int) -> list[int]:
    """Exit codes of a watch over a trial that never listens."""
    codes: list[int] = []
    ended = threading.Event()

    def leave(code: int) -> None:
        codes.append(code)
        ended.set()

    with LimitWatch(watch_limits, record, leave, lambda: resident):
        ended.wait(0.2)
    return codes


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHECK_SECONDS", 0.01)


def test_a_trial_over_its_memory_ends_with_its_process(tmp_path: Path) -> None:
    record = TrialRecord(tmp_path)
    assert exits(TrialLimits(memory=10**9), record, 10**9) == []
    assert exits(TrialLimits(memory=10**9), record, 2 * 10**9) == [1]
    assert (record.failure() or "").startswith(
        "used 2.00 GB of memory, more than the 1 GB of --trial-memory"
    )


def test_a_trial_that_does_not_stop_in_time_ends_with_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = TrialRecord(tmp_path)
    assert exits(TrialLimits(minutes=0.0001), record, 0) == [], "it may save its checkpoint"
    monkeypatch.setattr(limits, "GRACE_SECONDS", 0.02)
    assert exits(TrialLimits(minutes=0.0001), record, 0) == [1]
    assert "did not stop within" in (record.failure() or "")


def run(folder: Path, trial: Any, trial_limits: TrialLimits, monkeypatch: Any) -> TrialRecord:
    monkeypatch.setattr(ray.tune, "report", lambda metrics: None)
    job = Job(SimpleNamespace(), folder)  # type: ignore[arg-type]
    ended = work({"trial": "x"}, jobs={"x": job}, function=trial, limits=trial_limits)
    assert ended == {"ended": True}
    return TrialRecord(folder)


def test_a_trial_over_its_time_is_asked_to_stop(tmp_path: Path, monkeypatch: Any) -> None:
    def trial(config: Any, folder: Path, on_measurement: Any, on_status: Any, stop: Any) -> None:
        while not stop():
            on_status("training", 0.5)
        raise TrialStopped

    record = run(tmp_path, trial, TrialLimits(minutes=0.0001), monkeypatch)
    assert record.failure() == (
        "stopped after 0.0001 min, the limit of --trial-minutes; its checkpoint is kept, and the "
        "same command with a higher limit resumes it"
    )


def test_a_trial_that_a_limit_ended_is_not_tried_again(tmp_path: Path, monkeypatch: Any) -> None:
    TrialRecord(tmp_path).fail("used 2.00 GB of memory")
    record = run(tmp_path, lambda *_: pytest.fail("it ran"), TrialLimits(), monkeypatch)
    assert record.failure() == "used 2.00 GB of memory"


def test_phases_of_the_set_up_are_sent_at_once_and_progress_is_throttled() -> None:
    sent: list[tuple[str, float]] = []
    reporter = Reporter(lambda message: sent.append((message["phase"], message["fraction"])))
    reporter.on_status("imports", 0)
    reporter.on_status("preparing measure 'decision'", 0)
    reporter.on_status("preparing measure 'returns'", 0)
    reporter.on_status("compiling kernels", 0)
    for step in range(100):
        reporter.on_status("training", step / 100)
    reporter.on_measurement(1.0, {})
    assert sent == [("imports", 0), ("preparing evaluation sets", 0), ("compiling kernels", 0)]
    reporter = Reporter(lambda message: sent.append((message["phase"], message["fraction"])), 0)
    reporter.on_status("training", 0.5)
    assert sent[-1] == ("training", 0.5)


@pytest.mark.parametrize("fail_fast", [False, True])
def test_only_fail_fast_stops_a_launch_at_a_failed_trial(tmp_path: Path, fail_fast: bool) -> None:
    record = TrialRecord(tmp_path)
    record.fail("ArithmeticError")
    plan: Any = SimpleNamespace(id="x", record=record)
    listener: Any = SimpleNamespace(finished=lambda trial, failure: None)
    launch = Launch([plan], "a:b", 1, 1, fail_fast=fail_fast)
    callback = ProgressCallback(launch, listener, Interruption())
    callback.on_step_begin(1, [])
    callback.on_trial_complete(1, [], SimpleNamespace(config={"trial": "x"}))
    if fail_fast:
        with pytest.raises(FirstFailure):
            callback.on_step_begin(2, [])
    else:
        callback.on_step_begin(2, [])
