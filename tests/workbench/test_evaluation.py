"""Evaluation of finished agents: stored results are reused, and errors are reported."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.workbench.fakes import trial
from workbench.errors import WorkbenchError
from workbench.evaluation import applicable_measures, evaluate_trial
from workbench.measures.exploitability import Exploitability
from workbench.metrics import METRICS
from workbench.trial import run_trial

FEW = ["decision", "exploitability", "by_state"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    run_trial(trial(), folder)
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "trial"))


def states(folder: Path, names: list[str] = FEW) -> dict[str, str]:
    return {status.measure: status.state for status in evaluate_trial(folder, names)}


def stored(folder: Path, measure: str) -> dict[str, Any]:
    text = (folder / "evaluation" / f"{measure}.json").read_text(encoding="utf-8")
    contents: dict[str, Any] = json.loads(text)
    return contents


def test_only_missing_or_outdated_results_are_measured(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (folder / "checkpoint.pt").read_bytes()
    assert states(folder, ["decision"]) == {"decision": "measured"}
    assert states(folder) == {
        "decision": "stored", "exploitability": "measured", "by_state": "measured"
    }  # fmt: skip
    assert set(states(folder).values()) == {"stored"}
    monkeypatch.setattr(Exploitability, "version", 2)
    assert states(folder)["exploitability"] == "measured"
    renewed = METRICS["decision/search_regret"].__class__(
        **{**vars(METRICS["decision/search_regret"]), "version": 2}
    )
    monkeypatch.setitem(METRICS, "decision/search_regret", renewed)
    assert states(folder)["decision"] == "measured"
    assert (folder / "checkpoint.pt").read_bytes() == before


def test_changed_checkpoint_or_damaged_file_is_measured_again(folder: Path) -> None:
    states(folder)
    (folder / "evaluation" / "decision.json").write_text("{", encoding="utf-8")
    (folder / "evaluation" / "by_state.npz").unlink()
    assert states(folder) == {
        "decision": "measured", "exploitability": "stored", "by_state": "measured"
    }  # fmt: skip
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    torch.save(state | {"clock": [0, 0, 0.0, 0.0, 0.0]}, folder / "checkpoint.pt")
    assert set(states(folder).values()) == {"measured"}


def test_damaged_or_foreign_measurement_is_measured_again(folder: Path) -> None:
    states(folder, ["by_state", "exploitability"])
    arrays = folder / "evaluation" / "by_state.npz"
    data = bytearray(arrays.read_bytes())
    data[len(data) // 2] ^= 1
    arrays.write_bytes(data)
    other = stored(folder, "exploitability") | {"trial": "0123456789ab"}
    (folder / "evaluation" / "exploitability.json").write_text(json.dumps(other))
    assert states(folder, ["by_state", "exploitability"]) == {
        "by_state": "measured", "exploitability": "measured"
    }  # fmt: skip
    assert arrays.stat().st_mode & 0o777 == (folder / "config.yaml").stat().st_mode & 0o777


def test_files_of_different_trials_are_not_measured(folder: Path) -> None:
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(result | {"id": "0123456789ab"}))
    with pytest.raises(WorkbenchError, match=r"describes trial .* is that of trial 0123456789ab"):
        evaluate_trial(folder)
    (folder / "result.json").write_text(json.dumps(result))
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("simulations: 4", "simulations: 2"))
    with pytest.raises(WorkbenchError, match=r"config\.yaml: describes trial"):
        evaluate_trial(folder)


def test_stored_results_equal_the_last_measurement_of_the_trial(folder: Path) -> None:
    states(folder, ["decision", "by_state"])
    found = stored(folder, "decision")
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))["metrics"]
    assert found["metrics"]
    for name, value in found["metrics"].items():
        assert result[name] == value
    assert found["levels"]["decision/search_optimal_rate"]["oracle"] == 1.0
    with np.load(folder / "evaluation" / "by_state.npz", allow_pickle=False) as arrays:
        regret = float(arrays["regret"].mean(dtype=np.float64))
    simulations = stored(folder, "by_state")["measure"]["simulations"]
    assert simulations == 25
    states(folder, ["search_budget"])
    at_25 = stored(folder, "search_budget")["metrics"]["decision/search_regret[simulations=25]"]
    assert regret == pytest.approx(at_25)


def test_incompatible_measure_is_reported_and_the_others_run(folder: Path) -> None:
    statuses = {s.measure: s for s in evaluate_trial(folder, ["returns", "exploitability"])}
    assert statuses["exploitability"].state == "measured"
    assert statuses["returns"].state == "incompatible"
    assert "'returns' is for single-agent environments" in statuses["returns"].detail


def test_failing_measure_does_not_stop_the_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any, parts: Any) -> None:
        raise WorkbenchError("no such oracle here")

    monkeypatch.setattr(Exploitability, "build", fail)
    statuses = {s.measure: s for s in evaluate_trial(folder, FEW)}
    assert statuses["exploitability"].state == "failed"
    assert statuses["exploitability"].detail == "no such oracle here"
    assert statuses["by_state"].state == "measured"
    assert not (folder / "evaluation" / "exploitability.json").exists()


def test_invalid_inputs_are_reported(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match=r"unknown measure 'decisions'; did you mean 'dec"):
        applicable_measures(trial(), ["decisions"])
    with pytest.raises(WorkbenchError, match=r"is not the folder of a trial"):
        evaluate_trial(tmp_path)
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    torch.save(state | {"schema": 0}, folder / "checkpoint.pt")
    with pytest.raises(WorkbenchError, match=r"was written under schema 0, .* train it again"):
        evaluate_trial(folder)
    torch.save(state | {"procedure": {}}, folder / "checkpoint.pt")
    with pytest.raises(WorkbenchError, match=r"does not match config.yaml"):
        evaluate_trial(folder)
    (folder / "checkpoint.pt").unlink()
    with pytest.raises(WorkbenchError, match=r"there is no checkpoint; run the trial first"):
        evaluate_trial(folder)
    (folder / "result.json").unlink()
    config = folder / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "surplus: 1\n", encoding="utf-8")
    with pytest.raises(WorkbenchError, match=r"written by another version .* surplus"):
        evaluate_trial(folder)


WORKER = """
import os, sys, time
from workbench.evaluation import _exit_with_parent
_exit_with_parent(os.getppid())
print(os.getpid(), flush=True)
time.sleep(120)
"""
PARENT = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {WORKER!r}])
time.sleep(120)
"""


def test_worker_process_exits_with_its_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    os.kill(worker, 0)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while _is_running(worker):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
