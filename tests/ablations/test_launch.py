"""Launches with Ray and MLflow as they are, of trials that cost nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import fake_session
import pytest
import ray
from mlflow import MlflowClient
from mlflow.entities import Run
from rich.console import Console

from ablations.cluster import THREADS
from ablations.launch import Queue
from ablations.plan import Plan, make_plan
from ablations.session import ablate
from ablations.study import read_study
from ablations.tracking import default_uri, open_tracker
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

    def begun(self, condition: str, seed: int) -> int:
        """How often a trial was begun."""
        (trial,) = (t for t in self.plan.trials if (t.condition, t.seed) == (condition, seed))
        runs = trial.folder / "runs.txt"
        return len(runs.read_text().splitlines()) if runs.exists() else 0


def tracked(outputs: Path, study: str) -> list[Run]:
    client = MlflowClient(default_uri(outputs))
    experiment = client.get_experiment_by_name(study)
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def launch(file: Path, outputs: Path) -> Launched:
    stream = StringIO()
    code = ablate(fake_session.request(file, outputs), Console(file=stream, width=160))
    return Launched(make_plan(read_study(file), outputs), outputs, code, stream.getvalue())


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture(scope="module")
def first(fakes: None, outputs: Path) -> Launched:
    """Two seeds of a trial that works, one that raises, and one whose process dies once."""
    axes = "  procedure.behaviour: [works, raises, dies once]"
    file = outputs / "first.yaml"
    file.write_text(STUDY.format(name="first", seconds=0, axes=axes))
    return launch(file, outputs)


def test_one_failure_leaves_the_others_alone(first: Launched) -> None:
    assert first.code == 1
    states = first.plan.states()
    assert [states[t.id] for t in first.plan.trials] == ["done"] * 2 + ["failed"] * 2 + ["done"] * 2
    assert first.begun("raises", 0) == 1, "what a trial raises would come again"
    assert first.begun("dies once", 0) == 2
    failed = first.plan.trials[2]
    assert failed.record.failure() == "ArithmeticError: the loss is not finite"
    assert "_misbehave" in (failed.folder / "traceback.txt").read_text()
    assert "FAILED raises | seed 0: ArithmeticError: the loss is not finite" in first.printed


def test_every_trial_has_a_process_with_pinned_threads_of_its_own(first: Launched) -> None:
    done = [trial for trial in first.plan.trials if trial.record.state() == "done"]
    assert len({(trial.folder / "runs.txt").read_text() for trial in done}) == 4
    assert {(trial.record.result() or {})["threads"] for trial in done} == {"1"}
    assert not any(os.environ.get(name) == "1" for name in THREADS[1:]), "the driver's are its own"


def test_the_runs_in_mlflow_say_the_same(first: Launched) -> None:
    runs = {run.info.run_name: run for run in first.runs()}
    (parent,) = (run for name, run in runs.items() if name.startswith("launch"))
    assert len(runs) == 7
    assert runs["works | seed 0"].info.status == "FINISHED"
    assert runs["dies once | seed 1"].info.status == "FINISHED"
    failed = runs["raises | seed 0"]
    assert failed.info.status == "FAILED"
    assert failed.data.tags["failure"] == "ArithmeticError: the loss is not finite"
    assert parent.info.status == "FAILED"
    assert parent.data.tags["trials.done"] == "4"
    children = [run for run in runs.values() if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    child = runs["works | seed 1"]
    assert child.data.params == {"procedure.behaviour": "works", "seed": "1"}
    assert child.data.tags["trial"] == first.plan.trials[1].id


def test_metrics_come_at_their_steps_and_files_as_artifacts(first: Launched) -> None:
    client = MlflowClient(default_uri(first.outputs))
    (run,) = (run for run in first.runs() if run.info.run_name == "works | seed 1")
    history = client.get_metric_history(run.info.run_id, first.plan.study.primary)
    assert [(m.step, m.value) for m in history] == [
        (step, pytest.approx(0.4 / quarter + 0.01))
        for quarter, step in enumerate((25, 50, 75, 100), 1)
    ]
    assert "predictive/value_error" in run.data.metrics
    assert "predictive/value_error@3" not in run.data.metrics
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"config.yaml", "result.json"} <= files
    (parent,) = (run for run in first.runs() if run.info.run_name.startswith("launch"))
    assert client.list_artifacts(parent.info.run_id)[0].path == "report"
    assert run.info.artifact_uri.startswith((first.outputs / "mlartifacts").as_uri())


def test_nothing_of_ray_stays_behind(first: Launched) -> None:
    assert not ray.is_initialized()
    assert sorted(path.name for path in first.plan.folder.iterdir()) == [
        ".lock",
        "report",
        "study.json",
        "study.yaml",
        "trials",
    ]


def test_a_dry_run_writes_nothing(first: Launched, tmp_path: Path) -> None:
    request = fake_session.request(first.plan.study.file, tmp_path / "none", dry_run=True)
    assert ablate(request, Console(file=StringIO())) == 0
    assert not (tmp_path / "none").exists()


def test_a_store_that_cannot_be_written_stops_the_launch(
    first: Launched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database")
    with pytest.raises(WorkbenchError, match="cannot write to the tracking store"):
        open_tracker(first.plan, tmp_path, None, "workbench ablate")


def test_runs_of_dead_launches_are_ended(first: Launched, tmp_path: Path) -> None:
    dead = open_tracker(first.plan, tmp_path, None, "workbench ablate")
    dead.started(first.plan.trials[0])
    elsewhere = replace(first.plan, folder=tmp_path / "another" / "first")
    open_tracker(elsewhere, tmp_path, None, "workbench ablate")
    assert [run.info.status for run in tracked(tmp_path, "first")] == ["RUNNING"] * 3
    open_tracker(first.plan, tmp_path, None, "workbench ablate").close("FINISHED")
    statuses = sorted(run.info.status for run in tracked(tmp_path, "first"))
    assert statuses == ["FINISHED", "KILLED", "KILLED", "RUNNING"]


def test_no_trial_is_handed_out_after_the_deadline() -> None:
    assert Queue(["a"], time.monotonic() + 60).suggest("x") == {"trial": "a"}
    assert Queue(["a"], time.monotonic() - 1).suggest("x") == Queue.FINISHED
    assert Queue([], None).suggest("x") == Queue.FINISHED


@pytest.fixture(scope="module")
def interrupted(fakes: None, outputs: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a study of four trials of four seconds each in a process of its own."""
    file = outputs / "slow.yaml"
    axes = "  planner.simulations: [5, 25]"
    file.write_text(STUDY.format(name="slow", seconds=4, axes=axes))
    children: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, str(HERE / "fake_session.py"), str(file), str(outputs)]
        children.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return children[-1]

    yield start
    for child in children:
        child.kill()


def wait_for(child: subprocess.Popen[str], words: str) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        if words in line:
            return
    raise AssertionError(f"the launch never said '{words}'")


def test_ctrl_c_ends_everything_and_the_same_command_goes_on(
    interrupted: Callable[[], subprocess.Popen[str]], outputs: Path
) -> None:
    child = interrupted()
    wait_for(child, "done ")
    child.send_signal(signal.SIGINT)
    sent = time.monotonic()
    printed = child.communicate(timeout=30)[0]
    assert time.monotonic() - sent < 10
    assert child.returncode == 130
    assert "To go on:" in printed
    assert "workbench ablate" in printed
    statuses = [run.info.status for run in tracked(outputs, "slow")]
    assert "RUNNING" not in statuses
    assert "FINISHED" in statuses
    assert "KILLED" in statuses

    plan = make_plan(read_study(outputs / "slow.yaml"), outputs)
    done = {name for name, state in plan.states().items() if state == "done"}
    assert 0 < len(done) < 4
    child = interrupted()
    printed = child.communicate(timeout=60)[0]
    assert child.returncode == 0
    assert set(plan.states().values()) == {"done"}
    for trial in plan.trials:
        if trial.id in done:
            assert len((trial.folder / "runs.txt").read_text().splitlines()) == 1
    labels = [run.info.run_name for run in tracked(outputs, "slow")]
    finished = [r for r in tracked(outputs, "slow") if r.info.status == "FINISHED"]
    assert len(finished) == 4 + 1, labels

    again = launch(outputs / "slow.yaml", outputs)
    assert again.code == 0
    assert "Starting" not in again.printed
    assert len(tracked(outputs, "slow")) == len(labels)


def test_a_signal_while_ray_starts_is_not_lost(
    interrupted: Callable[[], subprocess.Popen[str]], outputs: Path
) -> None:
    for trial in make_plan(read_study(outputs / "slow.yaml"), outputs).trials:
        (trial.folder / "result.json").unlink(missing_ok=True)
    child = interrupted()
    wait_for(child, "Starting")
    time.sleep(3)
    child.send_signal(signal.SIGTERM)
    sent = time.monotonic()
    child.communicate(timeout=30)
    assert time.monotonic() - sent < 10
    assert child.returncode == 130
    assert all(run.info.status != "RUNNING" for run in tracked(outputs, "slow"))
