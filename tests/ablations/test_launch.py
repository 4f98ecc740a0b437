"""Launches with Ray and MLflow as they are, of trials that cost nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import fake_session
import fake_trials
import psutil
import pytest
import ray
from mlflow import MlflowClient
from mlflow.entities import Run
from rich.console import Console

from ablations import ray_runtime
from ablations.launch import TrialQueue
from ablations.limits import TrialLimits
from ablations.plan import Plan, TrialPlan, make_plan
from ablations.session import ablate
from ablations.study import read_study
from ablations.tracking.address import own_store
from ablations.tracking.experiment import PARENT
from tests.faults.terminal import run_in_terminal
from workbench.errors import WorkbenchError

HERE = Path(__file__).parent

STUDY = """\
study: {name}
question: Do fakes do?
base:
  environment: fake_world
  model: {{name: fake_model, representation: fake_plain}}
  planner: fake_planner
  procedure: {{name: fake_procedure, seconds: {seconds}}}
axes:
{axes}
seeds: 2
"""


@dataclass(frozen=True)
class Launched:
    """A study that was launched, and what came of it."""

    plan: Plan
    outputs: Path
    code: int
    printed: str

    def runs(self) -> list[Run]:
        return tracked(self.outputs, self.plan.study.name)

    def latest_launch(self) -> Run:
        launches = [run for run in self.runs() if PARENT not in run.data.tags]
        return max(launches, key=lambda run: run.info.start_time)


def started(trial: TrialPlan) -> int:
    """Number of starts of a trial."""
    runs = trial.folder / "runs.txt"
    return len(runs.read_text().splitlines()) if runs.exists() else 0


def tracked(outputs: Path, study: str) -> list[Run]:
    client = MlflowClient(own_store(outputs / "mlflow.db").uri)
    experiment = client.get_experiment_by_name(study)
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def launch(file: Path, outputs: Path, **changes: Any) -> Launched:
    stream = StringIO()
    code = ablate(fake_session.request(file, outputs, **changes), Console(file=stream, width=160))
    return Launched(make_plan(read_study(file), outputs), outputs, code, stream.getvalue())


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outputs")


@dataclass(frozen=True)
class Interrupted:
    """Results of a launch that Ctrl-C stopped."""

    code: int
    seconds: float
    printed: str
    statuses: list[str]
    states: dict[str, str]
    started: dict[str, int]


@pytest.fixture(scope="module")
def file(fakes: None, outputs: Path) -> Path:
    """Two seeds of a trial that works, one that raises, and one whose process dies once."""
    axes = "  procedure.behaviour: [works, raises, dies once]"
    path = outputs / "study.yaml"
    path.write_text(STUDY.format(name="first", seconds=1, axes=axes))
    return path


def start(file: Path, outputs: Path) -> subprocess.Popen[str]:
    """A launch in a process of its own."""
    command = [sys.executable, str(HERE / "fake_session.py"), str(file), str(outputs)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def stop(child: subprocess.Popen[str], number: signal.Signals) -> tuple[float, str]:
    """Send a signal; how long it took to end, and what was printed from then on."""
    child.send_signal(number)
    sent = time.monotonic()
    try:
        printed = child.communicate(timeout=30)[0]
    finally:
        child.kill()
    return time.monotonic() - sent, printed


def wait_for(child: subprocess.Popen[str], words: str) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        if words in line:
            return
    raise AssertionError(f"the launch never said '{words}'")


@pytest.fixture(scope="module")
def interrupted(file: Path, outputs: Path) -> Interrupted:
    """The study, stopped by Ctrl-C when one trial is done and another under way."""
    child = start(file, outputs)
    wait_for(child, "done ")
    wait_for(child, "start ")
    seconds, printed = stop(child, signal.SIGINT)
    plan = make_plan(read_study(file), outputs)
    return Interrupted(
        child.returncode,
        seconds,
        printed,
        [run.info.status for run in tracked(outputs, "first")],
        plan.states(),
        {trial.id: started(trial) for trial in plan.trials},
    )


@pytest.fixture(scope="module")
def first(interrupted: Interrupted, file: Path, outputs: Path) -> Launched:
    """The same command again, to the end."""
    return launch(file, outputs)


def test_ctrl_c_ends_the_launch_and_explains_how_to_resume(interrupted: Interrupted) -> None:
    assert interrupted.code == 130
    assert interrupted.seconds < 10
    assert "To go on:\n  workbench ablate" in interrupted.printed
    assert "RUNNING" not in interrupted.statuses
    assert {"FINISHED", "KILLED"} <= set(interrupted.statuses)
    assert set(interrupted.states.values()) >= {"done", "new"}


def test_repeated_launch_runs_only_missing_trials(
    interrupted: Interrupted, first: Launched
) -> None:
    done = [name for name, state in interrupted.states.items() if state == "done"]
    assert done
    for trial in first.plan.trials:
        if trial.id in done:
            assert started(trial) == interrupted.started[trial.id]
    finished = [r for r in first.runs() if r.info.status == "FINISHED"]
    assert len({run.data.tags["trial"] for run in finished}) == len(finished) == 4


def test_failed_trial_does_not_stop_the_others(first: Launched) -> None:
    assert first.code == 1
    states = first.plan.states()
    assert [states[t.id] for t in first.plan.trials] == ["done"] * 2 + ["failed"] * 2 + ["done"] * 2
    failed, died = first.plan.trials[3], first.plan.trials[5]
    assert (failed.label, died.label) == ("raises | seed 1", "dies once | seed 1")
    assert started(failed) == 1, "what a trial raises would come again"
    assert started(died) == 2
    assert failed.record.failure() == "ArithmeticError: the loss is not finite"
    assert "_misbehave" in (failed.folder / "traceback.txt").read_text()
    assert "FAILED raises | seed 1: ArithmeticError: the loss is not finite" in first.printed


def test_trials_have_pinned_threads(first: Launched) -> None:
    done = [trial for trial in first.plan.trials if trial.record.state() == "done"]
    assert {(trial.record.result() or {})["threads"] for trial in done} == {"1"}
    assert not any(os.environ.get(name) == "1" for name in ray_runtime.THREADS[1:]), (
        "the driver's are its own"
    )


def test_worker_is_reused_after_a_failed_trial(fakes: None, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    axes = "  procedure.behaviour: [raises, works]"
    file.write_text(STUDY.format(name="processes", seconds=0.2, axes=axes))
    trials = launch(file, tmp_path / "outputs").plan.trials
    processes = [(trial.folder / "runs.txt").read_text().strip() for trial in trials]
    assert len(processes) == 4
    # Two are at work at once; where both end at the same moment, Tune keeps one of them.
    assert len(set(processes)) < 4


def test_mlflow_runs_agree_with_the_trials(first: Launched) -> None:
    parent = first.latest_launch()
    children = [r for r in first.runs() if r.data.tags.get(PARENT) == parent.info.run_id]
    runs = {run.info.run_name: run for run in children}
    assert runs["works | seed 1"].info.status == "FINISHED"
    assert runs["dies once | seed 1"].info.status == "FINISHED"
    failed = runs["raises | seed 1"]
    assert failed.info.status == "FAILED"
    assert failed.data.tags["failure"] == "ArithmeticError: the loss is not finite"
    assert parent.info.status == "FAILED"
    assert parent.data.tags["trials.done"] == "4"
    child = runs["works | seed 1"]
    assert child.data.params == {"procedure.behaviour": "works", "seed": "1"}
    assert child.data.tags["trial"] == first.plan.trials[1].id


def test_metrics_are_logged_at_their_steps_and_files_as_artifacts(first: Launched) -> None:
    client = MlflowClient(own_store(first.outputs / "mlflow.db").uri)
    named = [run for run in first.runs() if run.info.run_name == "works | seed 1"]
    (run,) = (run for run in named if run.info.status == "FINISHED")
    history = client.get_metric_history(run.info.run_id, first.plan.study.primary)
    assert [metric.step for metric in history] == [25, 50, 75, 100]
    values = [0.4 / quarter + 0.01 for quarter in range(1, 5)]
    assert [metric.value for metric in history] == pytest.approx(values)
    assert "predictive/value_error" in run.data.metrics
    assert "predictive/value_error@3" not in run.data.metrics
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"config.yaml", "result.json"} <= files
    assert client.list_artifacts(first.latest_launch().info.run_id)[0].path == "report"
    assert run.info.artifact_uri.startswith((first.outputs / "mlartifacts").as_uri())


def test_ray_leaves_no_processes_or_files(first: Launched) -> None:
    assert not ray.is_initialized()
    assert sorted(path.name for path in first.plan.folder.iterdir()) == [
        ".lock",
        "report",
        "study.json",
        "study.yaml",
        "trials",
    ]


def test_dry_run_writes_nothing(first: Launched, tmp_path: Path) -> None:
    request = fake_session.request(first.plan.study.file, tmp_path / "none", dry_run=True)
    assert ablate(request, Console(file=StringIO())) == 0
    assert not (tmp_path / "none").exists()


def test_unreachable_cluster_stops_the_launch(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(WorkbenchError, match=f"cannot join a Ray cluster at {address}"):
        ray_runtime.ray_runtime(1, 1, address, tmp_path).__enter__()


def test_no_trial_starts_after_the_deadline() -> None:
    assert TrialQueue(["a"], time.monotonic() + 60).suggest("x") == {"trial": "a"}
    assert TrialQueue(["a"], time.monotonic() - 1).suggest("x") == TrialQueue.FINISHED
    assert TrialQueue([], None).suggest("x") == TrialQueue.FINISHED


def test_signal_during_ray_startup_is_handled(file: Path, tmp_path: Path) -> None:
    child = start(file, tmp_path)
    wait_for(child, "Starting")
    time.sleep(3)
    seconds, _ = stop(child, signal.SIGTERM)
    assert child.returncode == 130
    assert seconds < 10
    assert [run.info.status for run in tracked(tmp_path, "first")] in ([], ["KILLED"])


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

JOIN = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1])"


def test_ray_keeps_signal_handlers_and_rejects_clients_without_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "192.0.2.1:6379")  # of no cluster
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    before = [signal.getsignal(number) for number in SIGNALS]
    with ray_runtime.ray_runtime(1, 1, None, tmp_path):
        assert [signal.getsignal(number) for number in SIGNALS] == before
        assert ray.get(ray.put(3)) == 3
        joined = {}
        for mode in ("token", "disabled"):
            joined[mode] = subprocess.run(
                [sys.executable, "-c", JOIN, ray.get_runtime_context().gcs_address],
                env=os.environ | {"RAY_AUTH_MODE": mode},
                capture_output=True,
                text=True,
            )
        token = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
        assert token.stat().st_mode & 0o077 == 0
    assert joined["token"].returncode == 0
    assert "Authentication token is missing or incorrect" in joined["disabled"].stderr
    assert not ray.is_initialized()
    assert not token.exists()
    assert os.environ["RAY_ADDRESS"] == "192.0.2.1:6379"


@pytest.mark.slow
def test_fail_fast_stops_at_the_first_failed_trial(fakes: None, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    axes = "  procedure.behaviour: [raises, works]"
    file.write_text(STUDY.format(name="fails", seconds=60, axes=axes))
    launched = launch(file, tmp_path / "outputs", fail_fast=True)
    assert launched.code == 1
    states = list(launched.plan.states().values())
    assert "failed" in states
    assert "done" not in states
    assert "because a trial failed (--fail-fast)" in launched.printed
    assert launched.latest_launch().info.status == "FAILED"
    assert "RUNNING" not in {run.info.status for run in launched.runs()}


@pytest.mark.slow
def test_trial_over_its_time_fails_and_can_be_resumed(fakes: None, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    axes = "  procedure.behaviour: [works]"
    file.write_text(STUDY.format(name="slow", seconds=12, axes=axes))
    first = launch(file, tmp_path / "outputs", limits=TrialLimits(minutes=0.05))
    assert first.code == 1
    assert [started(trial) for trial in first.plan.trials] == [1, 1]
    assert "stopped after 0.05 min, the limit of --trial-minutes" in first.printed
    again = launch(file, tmp_path / "outputs")
    assert again.code == 0


@pytest.mark.slow
def test_concurrency_on_a_cluster_follows_from_its_nodes(
    fakes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
    file = tmp_path / "study.yaml"
    axes = "  procedure.behaviour: [works]"
    file.write_text(STUDY.format(name="cluster", seconds=8, axes=axes))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=2)
        launched = launch(file, tmp_path / "outputs", address=cluster.address, concurrent=None)
    finally:
        cluster.shutdown()
    assert launched.code == 0, launched.printed
    assert "3 trials at once: the cluster has 3 CPUs on 2 nodes" in launched.printed
    assert not (launched.plan.folder / ".tune").exists()


@pytest.mark.slow
def test_closed_terminal_ends_runs_and_processes(file: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "fake_session.py"), str(file), str(tmp_path)]
    with run_in_terminal(command) as terminal:
        terminal.wait_for(b"running")
        started = psutil.Process(terminal.process).children(recursive=True)
        assert any("raylet" in process.name() for process in started)
        terminal.close()
        assert terminal.exit_code() == 130
    assert not psutil.wait_procs(started, timeout=5)[1]
    statuses = {run.info.status for run in tracked(tmp_path, "first")}
    assert "KILLED" in statuses
    assert "RUNNING" not in statuses


def test_finished_study_does_not_start_ray(first: Launched, monkeypatch: Any) -> None:
    for trial in first.plan.trials:
        if trial.record.state() == "failed":
            trial.record.clear_failure()
            trial.record.finish(fake_trials.finished(trial.config))
    before = len(first.runs())
    monkeypatch.setattr(ray, "init", lambda **options: pytest.fail("Ray was started"))
    again = launch(first.plan.study.file, first.outputs)
    assert again.code == 0
    assert "Starting" not in again.printed
    assert len(again.runs()) == before
