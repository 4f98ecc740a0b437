"""`workbench status` reads the folder of a study, also while a launch runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ablations.manifest import locked
from ablations.study_folder import read_state
from workbench.errors import WorkbenchError
from workbench.record import TrialRecord

PRIMARY = "decision/search_regret_decisive"


def write_folder(folder: Path, seeds: int = 2) -> list[TrialRecord]:
    """Write the manifest of a study of two conditions; return the records of its trials."""
    trials = [
        {"id": f"{name}{seed}", "condition": name, "seed": seed, "folder": f"trials/{name}{seed}"}
        for name in ("cnn", "gcn")
        for seed in range(seeds)
    ]
    launch = {"started": datetime.now(UTC).isoformat(timespec="seconds"), "seconds": None}
    manifest = {
        "study": "small", "question": "?", "primary": PRIMARY, "predictive": PRIMARY,
        "conditions": [{"name": "cnn"}, {"name": "gcn"}], "trials": trials, "launches": [launch],
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "study.json").write_text(json.dumps(manifest))
    return [TrialRecord(folder / str(trial["folder"])) for trial in trials]


def finish(record: TrialRecord, primary: float) -> None:
    """Write the result of a trial in a folder named after its id."""
    record.start({})
    (record.folder / "config.yaml").unlink()
    result = {"id": record.folder.name, "schema": 2, "steps": 1, "updates": 1}
    record.finish({**result, "metrics": {PRIMARY: primary}})


def status(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workbench", "status", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One trial is done, one failed, one is under way, and one has not started."""
    done, failed, partial, _ = write_folder(tmp_path / "out" / "small")
    finish(done, 0.125)
    failed.start({})
    failed.fail("TrialDiverged: the loss is not finite")
    partial.start({})
    partial.checkpoint.touch()
    partial.progress(0.4, {PRIMARY: 0.5})
    return tmp_path / "out" / "small"


def test_all_states_are_shown_with_value_or_reason(folder: Path) -> None:
    shown = status("small", "--outputs", folder.parent)
    assert shown.returncode == 0, shown.stderr
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert lines[1:3] == [["cnn", "0.125", "failed"], ["gcn", "40%", "-", "-"]]
    assert f"{PRIMARY} where done; 1 done, 1 stopped, 1 failed, 1 new" in shown.stdout
    assert "FAILED cnn | seed 1: TrialDiverged: the loss is not finite" in shown.stdout
    assert "No launch runs" in shown.stdout


def test_a_running_launch_is_named_and_its_trials_run(folder: Path) -> None:
    with locked(folder):
        state = read_state(folder)
        assert state.running
        assert (state.holder or "").startswith(f"process {os.getpid()} on ")
        assert [trial.state for trial in state.trials] == ["done", "failed", "running", "new"]
        earlier = time.time() - 3600
        os.utime(folder / "trials" / "gcn0" / "config.yaml", (earlier, earlier))
        assert read_state(folder).counts() == {"done": 1, "stopped": 1, "failed": 1, "new": 1}
    assert not read_state(folder).running, "the process lives, but holds no lock"


def test_a_launch_on_another_machine_is_assumed_to_run(folder: Path) -> None:
    (folder / ".lock").write_text("process 1 on elsewhere.example")
    assert read_state(folder).running


def test_the_state_of_100_trials_is_read_within_a_second(tmp_path: Path) -> None:
    for number, record in enumerate(write_folder(tmp_path / "small", seeds=50)):
        record.start({})
        record.progress(0.5, {PRIMARY: 0.25})
        if number % 2:
            finish(record, 0.5)
    code = (
        "import sys, time; from workbench.cli.main import main; start = time.process_time()\n"
        "try: main()\n"
        "except SystemExit: print(time.process_time() - start, *sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "status", str(tmp_path / "small"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    data: dict[str, Any] = json.loads(done.stdout)
    assert data["counts"] == {"done": 50, "new": 50}
    assert data["trials"][1] == {
        "id": "cnn1", "condition": "cnn", "seed": 1, "state": "done", "fraction": 1.0,
        "primary": 0.5, "failure": None,
    }  # fmt: skip
    seconds, *modules = done.stderr.split()
    assert float(seconds) < 1
    assert not {"torch", "ray", "mlflow", "pandas", "numpy"} & set(modules)


def test_a_misspelt_study_gets_a_suggestion(folder: Path) -> None:
    shown = status("smal", "--outputs", folder.parent)
    assert shown.returncode == 2
    assert "did you mean 'small'? existing studies: small" in shown.stderr


@pytest.mark.parametrize("text", ["[]", "{", '{"study": "x"}', '{"primary": 1, "trials": [3]}'])
def test_a_damaged_manifest_is_named(folder: Path, text: str) -> None:
    (folder / "study.json").write_text(text)
    with pytest.raises(WorkbenchError, match=r"study.json: is damaged: .*`workbench ablate`"):
        read_state(folder)
