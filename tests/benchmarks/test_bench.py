"""`workbench bench`: it runs, keeps what it found, and says what it cannot do. Nothing is timed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import bench, measurement
from benchmarks.measurement import Effort, Figure
from benchmarks.rows import peers
from benchmarks.tables import BEGIN, END, markdown, read, write_between_marks
from workbench.cli import main
from workbench.errors import WorkbenchError

QUICK = ["bench", "--quick", "--rows"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives the exit code of `workbench ARGUMENTS`; threads of this process are left alone."""
    monkeypatch.setattr("benchmarks.machine.limit_threads", lambda threads: None)

    def ended(*arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", ["workbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main.main()
        return int(left.value.code or 0)

    return ended


def figure(row: str) -> Figure:
    return Figure(row, {"B": 1}, "s", 2.0, 1.0, 3.0, "nothing", 4.0, 0.5, 1, {"depth": 7.0})


@pytest.mark.parametrize(
    ("rows", "floors"),
    [
        ("search,selfplay", {"network calls", "searches"}),
        (
            "learner,environments",
            {
                "forward and backward",
                "cnn of 5880 parameters",
                "conv of 10632 parameters",
                "pyspiel",
            },
        ),
        ("start,study", {"import torch", "sum of the trials"}),
    ],
)
def test_every_row_has_figures_and_a_lower_bound(
    run: Any, tmp_path: Path, rows: str, floors: set[str]
) -> None:
    file = tmp_path / "kept" / "figures.json"
    assert run(*QUICK, rows, "--json", file) == 0
    found = json.loads(file.read_text())
    assert set(found) == {"schema", "command", "machine", "effort", "figures"}
    assert found["effort"] == {"repeats": 1, "threads": 1, "quick": True}
    assert found["machine"]["versions"].keys() >= {"python", "torch", "numpy", "numba"}
    assert {one["row"] for one in found["figures"]} == set(rows.split(","))
    assert {one["floor"] for one in found["figures"]} == floors
    for one in found["figures"]:
        # With one pair, the ratio equals the ratio of the two times, or its inverse for rates.
        times = one["median"] / one["floor_median"]
        assert one["ratio"] == pytest.approx(times if one["unit"] == "s" else 1 / times)


def test_unknown_row_is_reported_with_a_suggestion(
    run: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(*QUICK, "serch,start", "--json", tmp_path / "figures.json") == 2
    assert "unknown row 'serch'; did you mean 'search'?" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_missing_peer_is_reported_with_its_extra(
    run: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda name: None if name == "mctx" else object())
    assert run(*QUICK, "search", "--peers") == 2
    output = capsys.readouterr()
    assert "row peers needs mctx; install with: pip install 'muzero-workbench[peers]'" in output.err
    assert output.out == ""


def test_peers_are_measured_only_on_request() -> None:
    assert bench.default_rows() == [
        "environments",
        "learner",
        "search",
        "selfplay",
        "start",
        "study",
    ]
    assert set(bench.all_rows()) - set(bench.default_rows()) == {"peers"}


def test_interruption_keeps_finished_rows(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    arguments = [*QUICK, "environments,start,study", "--json", str(file)]
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench.cli", *arguments], stdout=subprocess.PIPE, text=True
    )
    while not file.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"Interrupted; {file} has the finished rows" in shown
    assert [one["row"] for one in json.loads(file.read_text())["figures"]] == ["environments"]


def test_unwritable_file_is_reported(
    run: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = SimpleNamespace(measure=lambda effort: iter([figure("search")]))
    monkeypatch.setitem(sys.modules, "benchmarks.rows.search", module)
    (tmp_path / "file").touch()
    assert run(*QUICK, "search", "--json", tmp_path / "file" / "figures.json") == 2
    assert "cannot be written" in capsys.readouterr().err


def test_tables_are_written_between_the_marks(tmp_path: Path) -> None:
    machine = {"date": "2026-01-02", "processor": "P", "cores": 2, "load": 0.5, "versions": {}}
    kept = measurement.document(
        [figure("search"), figure("start")], Effort(3), machine, "the command"
    )
    (tmp_path / "figures.json").write_text(json.dumps(kept))
    text = markdown(read(tmp_path / "figures.json"))
    assert "| 1   | 2 s        | 1 to 3      | nothing | 4" in text
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "### search",
        "### start",
    ]
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_between_marks(text, page)
    write_between_marks(text, page)
    assert page.read_text() == f"before\n{BEGIN}\n{text}\n{END}\nafter\n"


def test_file_that_is_no_benchmark_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    file.write_text('{"schema": 0}')
    with pytest.raises(WorkbenchError, match=r"figures\.json: schema: found 0, expected 1"):
        read(file)
    (tmp_path / "page.md").write_text(f"{END} {BEGIN}")
    with pytest.raises(WorkbenchError, match="needs the lines"):
        write_between_marks("text", tmp_path / "page.md")
