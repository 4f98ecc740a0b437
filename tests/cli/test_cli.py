"""The command-line interface: exit codes, messages and import time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.analysis.conftest import write_study
from workbench.cli import main, report
from workbench.cli.interruption import stop_on_signal
from workbench.cli.train import read
from workbench.errors import ConfigError
from workbench.evaluation import evaluate_trials
from workbench.trial import run_trial

TINY_TRIAL = {
    "procedure.steps": 600, "procedure.warm_up": 100, "planner.simulations": 2,
    "procedure.parallel_environments": 16, "procedure.batch_size": 16, "measures.decision": "null",
}  # fmt: skip
HEAVY = {"torch", "ray", "mlflow", "pandas", "numpy", "pydantic", "matplotlib", "yaml"}


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """Run `workbench ARGUMENTS` and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["workbench", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main.main()
    return int(ended.value.code or 0)


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, workbench.cli.app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not HEAVY & set(loaded.stdout.split())
    command = [sys.executable, "-m", "workbench.cli", "--help"]
    assert "ablate" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("workbench 0.")


def test_all_problems_of_a_study_are_reported_without_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("study: Bad Name\npreset: muzero\nseeds: 0\nprimry: x\n")
    assert run(monkeypatch, "ablate", file, "--outputs", tmp_path / "out") == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[:2] for line in lines[:-1]] == [
        [f"{file}:1", "study"],
        [f"{file}:3", "seeds"],
        [f"{file}:4", "primry"],
        [f"{file}:4", "primary"],
    ]
    assert lines[-1] == "4 problems"
    assert not (tmp_path / "out").exists()


def test_missing_study_file_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "ablate", "nowhere.yaml") == 2
    assert capsys.readouterr().err == "nowhere.yaml: no such file\n1 problem\n"


def test_dry_run_shows_plan_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("study: sims\npreset: muzero\naxes: {planner.simulations: [5, 25]}\nseeds: 2\n")
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "ablate", file, "--dry-run", "--seeds", "6") == 0
    shown = capsys.readouterr().out
    assert "12 trials = 2 conditions x 6 seeds: 12 to run" in shown
    assert "0.0312" in shown
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


def test_unknown_study_error_lists_existing_studies(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "report", "gcn", "--outputs", tmp_path) == 2
    assert "it has no studies yet" in capsys.readouterr().err
    for name in ("second", "first"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "study.json").write_text("{}")
    assert run(monkeypatch, "report", "gcn", "--outputs", tmp_path) == 2
    assert "existing studies: first, second" in capsys.readouterr().err


def test_report_is_written_and_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_study(tmp_path)

    def write_report(
        folder: Path, into: Path | None, width: float, design: object, notices: list[str]
    ) -> SimpleNamespace:
        widths.append(width)
        folder = into or folder
        figures = [folder / "curves.png", folder / "curves.pdf"]
        return SimpleNamespace(
            index=folder / "index.html",
            figures=figures,
            tables=[folder / "a.csv"],
            summary="a table",
            findings="it depends",
            notices=["not covered"],
        )

    widths: list[float] = []
    monkeypatch.setitem(sys.modules, "analysis.report", SimpleNamespace(write_report=write_report))
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "report", tmp_path) == 0
    shown = capsys.readouterr().out
    assert "a table" in shown
    assert "it depends" in shown
    assert "Note: not covered" in shown
    assert "  index.html\n  curves.{pdf,png}\n" in shown
    assert run(monkeypatch, "report", tmp_path, "--into", "elsewhere", "--width", "column") == 0
    assert widths == [6.75, 3.25]
    assert "  elsewhere/index.html\n" in capsys.readouterr().out
    assert report.find(str(tmp_path), Path("outputs")) == tmp_path


def test_command_line_overrides_file_and_preset(tmp_path: Path) -> None:
    file = tmp_path / "trial.yaml"
    file.write_text("planner.simulations: 7\nevaluate_every: 11\n")
    changes = ["planner.simulations=9", "losses.value=0.5", "planner.noise_fraction=0"]
    config = read(file, "muzero", changes, 4)
    assert config.planner.simulations == 9  # type: ignore[attr-defined]
    assert (config.evaluate_every, config.seed, config.losses["value"].weight) == (11, 4, 0.5)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("planner.simulatons=3", "--set planner.simulatons=3: planner.simulatons: unknown key"),
        ("planner.simulations=few", "--set planner.simulations=few: planner.simulations: expected"),
        ("planner.simulations", "--set planner.simulations: expected KEY=VALUE"),
        ("planner=[", "is not valid YAML"),
    ],
)
def test_invalid_override_is_named_in_the_error(change: str, expected: str) -> None:
    with pytest.raises(ConfigError, match="set") as caught:
        read(None, "muzero", [change], None)
    assert expected in str(caught.value)


def test_repeated_train_command_trains_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    small = [
        "procedure.steps=2500",
        "procedure.warm_up=500",
        "evaluate_every=4",
        "planner.simulations=2",
    ]
    settings = [word for change in small for word in ("--set", change)]
    command: list[str | Path] = [
        "train",
        "--preset",
        "muzero",
        *settings,
        "--output",
        tmp_path / "trial",
    ]
    assert run(monkeypatch, *command) == 0
    shown = capsys.readouterr().out
    assert "preparing measure 'decision'" in shown
    assert "100%" in shown
    assert "predictive/value_error" in shown
    written = (tmp_path / "trial" / "metrics.jsonl").read_bytes()
    assert run(monkeypatch, *command) == 0
    assert "done" in capsys.readouterr().out
    assert (tmp_path / "trial" / "metrics.jsonl").read_bytes() == written


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_training_saves_progress_since_last_measurement(
    tmp_path: Path, number: signal.Signals
) -> None:
    changes = ["evaluate_every=100000", "measures.decision=null", "measures.predictive=null"]
    command = [sys.executable, "-m", "workbench.cli", "train", "--preset", "muzero"]
    command += [word for change in changes for word in ("--set", change)]
    process = subprocess.Popen(
        [*command, "--output", str(tmp_path)], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("  0%"):
            break
    time.sleep(1)
    process.send_signal(number)
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopping after this step" in shown
    assert "Stopped, all progress saved; to resume from the checkpoint:\n  workbench train" in shown
    measured = json.loads((tmp_path / "metrics.jsonl").read_text())
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["procedure"]
    assert measured["step"] == 0 < kept["steps"]


def test_first_signal_sets_flag_and_second_interrupts(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with stop_on_signal("wait") as received:
        assert not received()
        os.kill(os.getpid(), signal.SIGTERM)
        assert received()
        assert capfd.readouterr().out == "\nwait\n"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_evaluate_measures_finished_trials_and_reports_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    changes = [f"--set={key}={value}" for key, value in TINY_TRIAL.items()]
    folder = tmp_path / "out" / "small"
    command = ["train", "--preset", "muzero", *changes]
    ids = {"never": "ffffffffffff"}
    for seed, name in enumerate(("one", "lost")):
        trial = folder / "trials" / name
        assert run(monkeypatch, *command, "--seed", str(seed), "--output", trial) == 0
        ids[name] = json.loads((trial / "result.json").read_text())["id"]
    (folder / "trials" / "lost" / "checkpoint.pt").unlink()
    trials = [
        {"id": ids[name], "condition": "only", "seed": seed, "folder": f"trials/{name}"}
        for seed, name in enumerate(("one", "lost", "never"))
    ]
    study = {
        "study": "small", "question": "", "primary": "decision/search_regret",
        "predictive": "predictive/value_error", "seeds": [0, 1, 2], "trials": trials,
        "conditions": [{"name": "only", "values": {}}], "comparisons": [], "baseline": "only",
    }  # fmt: skip
    (folder / "study.json").write_text(json.dumps(study))
    capsys.readouterr()
    arguments = ["evaluate", "small", "--outputs", tmp_path / "out", "--concurrent", "1"]
    measures = ["--measure", "exploitability", "--measure", "returns"]
    assert run(monkeypatch, *arguments, *measures) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "only, seed 2: is not done (new); run `workbench ablate` first" in shown
    assert "only, seed 0: 1 measured in" in shown
    assert "there is no checkpoint; run the trial first" in shown
    assert "returns: measure 'returns' is for single-agent environments" in shown
    assert (folder / "trials" / "one" / "evaluation" / "exploitability.json").exists()
    one = folder / "trials" / "one"
    assert run(monkeypatch, "evaluate", one, "--measure", "exploitability") == 0
    assert ": 1 skipped, already measured (exploitability)" in capsys.readouterr().out
    assert run(monkeypatch, "evaluate", one, "--measure", "exploitabilty") == 2
    assert "did you mean 'exploitability'?" in capsys.readouterr().err
    (one / "result.json").unlink()
    assert run(monkeypatch, "evaluate", one) == 1
    assert "one: is not done (partial); run `workbench train` first" in capsys.readouterr().out
    (folder / "study.json").write_text("{")
    assert run(monkeypatch, *arguments) == 2
    assert "study.json: is damaged: no JSON at line 1, column 2" in capsys.readouterr().err


def test_train_rejects_a_study_file(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("study: small\npreset: muzero\nseeds: 3\n")
    with pytest.raises(ConfigError) as caught:
        read(file, None, [], None)
    (problem,) = caught.value.problems
    assert str(problem) == (f"{file}: this is a study, not a trial; run `workbench ablate {file}`")


def test_unavailable_device_is_a_user_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    command = ["train", "--preset", "muzero", "--set=device=cuda", "--output", tmp_path / "trial"]
    assert run(monkeypatch, *command) == 2
    assert "device 'cuda' is not available here; set `device: cpu`" in capsys.readouterr().err


def test_unwritable_report_is_a_user_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = write_study(tmp_path / "made")
    (study / "report").write_text("in the way")
    assert run(monkeypatch, "report", study) == 2
    error = capsys.readouterr().err
    assert "cannot be written" in error
    assert str(study / "report") in error


@pytest.mark.slow
def test_evaluation_reports_measures_of_several_processes(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for seed, folder in enumerate(folders):
        changes = [f"{key}={value}" for key, value in TINY_TRIAL.items()]
        run_trial(read(None, "muzero", changes, seed), folder)
    started: list[tuple[Path, str]] = []
    names = ["exploitability"]
    for _ in range(2):
        found = evaluate_trials(folders, names, 2, lambda *start: started.append(start))
        states = {folder: [s.state for s in result] for folder, result in found if result}
    assert sorted(started) == [(folder, "exploitability") for folder in folders]
    assert states == {key: ["stored"] for key in folders}
