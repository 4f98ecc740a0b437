"""`workbench ui` and the commands that write to an existing store."""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
from pathlib import Path

import pytest

from workbench.cli import main, ui
from workbench.errors import WorkbenchError


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Command lines of the servers that would be started."""
    commands: list[list[str]] = []
    monkeypatch.setattr("os.environ", dict(os.environ))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("os.execv", lambda path, command: commands.append(command))
    monkeypatch.chdir(Path.cwd())
    return commands


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """An output folder whose store has two studies; only the read columns exist."""
    folder = tmp_path / "o%41 b#c?d"
    folder.mkdir()
    connection = sqlite3.connect(folder / "mlflow.db")
    with connection:
        connection.execute(
            "CREATE TABLE experiments (experiment_id, name, artifact_location, lifecycle_stage)"
        )
        connection.execute("CREATE TABLE runs (experiment_id, artifact_uri)")
        for number, name in ((0, "Default"), (1, "first"), (2, "second")):
            location = f"file:///elsewhere/mlartifacts/{name}"
            connection.execute(
                "INSERT INTO experiments VALUES (?, ?, ?, 'active')", (number, name, location)
            )
    connection.close()
    return folder


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_ui_prints_the_runs_of_every_study_and_listens_on_loopback(
    served: list[list[str]], outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    ui.ui(outputs=outputs, port=port)
    printed = capsys.readouterr()
    base = f"http://127.0.0.1:{port}/#/experiments"
    assert f"{base}/1/runs?workflowType=machine_learning" in printed.out
    assert f"{base}/2/runs?workflowType=machine_learning" in printed.out
    assert "Default" not in printed.out
    assert "Warning" not in printed.err
    (command,) = served
    assert command[command.index("--host") + 1] == "127.0.0.1"
    # No character of the path reaches the address of the store.
    assert os.environ["MLFLOW_BACKEND_STORE_URI"] == "sqlite:///mlflow.db"
    assert Path.cwd() == outputs


def test_ui_of_one_study(
    served: list[list[str]], outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ui.ui("second", outputs=outputs, port=free_port())
    printed = capsys.readouterr().out
    assert "/experiments/2/runs" in printed
    assert "/experiments/1/runs" not in printed
    with pytest.raises(WorkbenchError, match=r"no study .third. in the store .*first, second"):
        ui.ui("third", outputs=outputs)


def test_ui_warns_of_an_address_that_others_can_reach(
    served: list[list[str]], outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ui.ui(outputs=outputs, host="0.0.0.0", port=free_port())
    assert "Warning: 0.0.0.0 can be reached from other machines" in capsys.readouterr().err
    loopback = [ui.is_loopback(host) for host in ("::1", "localhost", "10.0.0.1")]
    assert loopback == [True, True, False]


def test_ui_without_a_store_is_an_error(served: list[list[str]], tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="no tracking store"):
        ui.ui(outputs=tmp_path)


def test_ui_hides_the_password_of_a_database_from_other_users(
    served: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = "postgresql://ada:secret@host/db"
    ui.ui(outputs=tmp_path, port=free_port(), tracking_uri=uri)
    assert "secret" not in " ".join(served[0]) + capsys.readouterr().out
    assert os.environ["MLFLOW_BACKEND_STORE_URI"] == uri


def test_busy_port_is_reported_at_once(
    served: list[list[str]],
    outputs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        command = ["workbench", "ui", "--outputs", str(outputs), "--port", port]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main.main()
    assert ended.value.code == 1
    assert served == []
    error = capsys.readouterr().err
    assert f"port {port}" in error
    assert "--port" in error
