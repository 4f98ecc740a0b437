"""The tracking store of an output folder, and the addresses of stores."""

from __future__ import annotations

import shutil
import sqlite3
import time
from pathlib import Path
from threading import Thread

import pytest

from ablations.tracking import address, connection, store
from ablations.tracking.address import Store, existing_store, own_store, redact, store_of
from ablations.tracking.views import charts_page, invitation, runs_page
from workbench.errors import WorkbenchError


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch, template: Path) -> list[Path]:
    """Replace MLflow's migrations by a slow copy; returns the files that were made."""
    made: list[Path] = []

    def copy(file: Path, function: str) -> None:
        made.append(file)
        file.write_bytes(b"half")
        time.sleep(0.05)
        shutil.copyfile(template, file)

    monkeypatch.setattr(store, "_run_migrations", copy)
    return made


def test_two_launches_on_a_fresh_folder_create_one_store(
    copied: list[Path], tmp_path: Path
) -> None:
    file, failures = tmp_path / "out" / "mlflow.db", list[BaseException]()

    def prepare() -> None:
        try:
            store.prepare_store(file)
        except BaseException as error:
            failures.append(error)

    threads = [Thread(target=prepare) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(copied) == 1
    assert store.experiments(file) == {}
    assert sorted(path.name for path in file.parent.iterdir()) == [".mlflow.db.lock", "mlflow.db"]


def test_store_that_was_not_completed_is_never_seen(
    copied: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "mlflow.db"
    (tmp_path / ".mlflow.db.99.part").write_bytes(b"left by a killed process")

    def stop(part: Path, function: str) -> None:
        part.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(store, "_run_migrations", stop)
        with pytest.raises(KeyboardInterrupt):
            store.prepare_store(file)
    assert [path.name for path in tmp_path.iterdir()] == [".mlflow.db.lock"]
    assert store.prepare_store(file) == []


def test_file_that_is_no_database_is_set_aside(copied: list[Path], tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database")
    _check_set_aside(tmp_path / "mlflow.db")


@pytest.mark.slow
def test_store_with_half_of_its_tables_is_set_aside(template: Path, tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    shutil.copyfile(template, file)
    damaged = sqlite3.connect(file)
    with damaged:  # as a SIGKILL during MLflow's migrations leaves it
        damaged.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    damaged.close()
    _check_set_aside(file)


def _check_set_aside(file: Path) -> None:
    before = file.read_bytes()
    (warning,) = store.prepare_store(file)
    (aside,) = file.parent.glob("mlflow.db.broken-*")
    assert aside.read_bytes() == before
    assert aside.name in warning
    assert store.experiments(file) == {}


def test_sound_store_is_left_alone(template: Path, tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    shutil.copyfile(template, file)
    before = file.read_bytes()
    assert store.prepare_store(file) == []
    assert file.read_bytes() == before


def test_blocked_store_is_an_error_and_stays(template: Path, tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    file.mkdir()
    with pytest.raises(WorkbenchError, match=r"mlflow\.db"):
        store.prepare_store(file)
    assert file.is_dir()


@pytest.mark.parametrize(
    "uri", [f"sqlite:///{__file__}/mlflow.db", "http://ada:secret@127.0.0.1:9"]
)
def test_store_that_does_not_answer_is_an_error_within_seconds(uri: str) -> None:
    started = time.monotonic()
    with pytest.raises(WorkbenchError, match="cannot be used") as raised:
        connection.connect(Store(uri, redact(uri)))
    assert time.monotonic() - started < 20
    assert "secret" not in str(raised.value)
    assert "ada" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("http://ada:secret@host:5000/x", "http://***@host:5000/x"),
        ("postgresql+psycopg2://ada:p/w@rd@host/db", "postgresql+psycopg2://***@host/db"),
        ("http://token@host", "http://***@host"),
        ("postgresql://host/db?user=ada&password=secret", "postgresql://host/db?user=ada&password=***"),
        ("--tracking-uri=http://ada:secret@host", "--tracking-uri=http://***@host"),
        ("sqlite:////tmp/mlflow.db", "sqlite:////tmp/mlflow.db"),
        ("http://host:5000", "http://host:5000"),
    ],
)  # fmt: skip
def test_credentials_are_redacted(given: str, shown: str) -> None:
    assert redact(given) == shown


def test_stored_command_has_no_credentials() -> None:
    arguments = ["ablate", "my study.yaml", "--tracking-uri", "http://ada:se cret@host"]
    command = address.redacted_command(arguments)
    assert command == "workbench ablate 'my study.yaml' --tracking-uri 'http://***@host'"


def test_option_wins_over_the_variable_and_this_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert store_of(tmp_path).file == tmp_path / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ada:secret@variable")
    found = store_of(tmp_path)
    assert found.uri == "http://ada:secret@variable"
    assert found.shown + found.origin == "http://***@variable (from MLFLOW_TRACKING_URI)"
    assert store_of(tmp_path, "http://option").uri == "http://option"


def test_results_outside_of_an_output_folder_have_no_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    trial = tmp_path / "a" / "b" / "outputs" / "train" / "1"
    assert existing_store(trial) is None
    trial.mkdir(parents=True)
    (tmp_path / "a" / "b" / "outputs" / "mlflow.db").touch()
    found = existing_store(trial)
    assert found is not None
    assert found.file == tmp_path / "a" / "b" / "outputs" / "mlflow.db"


def test_addresses_open_the_runs_and_not_the_view_for_language_models(tmp_path: Path) -> None:
    page = runs_page("http://host:5000/", "7")
    assert page.startswith("http://host:5000/#/experiments/7/runs?workflowType=machine_learning")
    assert "compareRunsMode=CHART" in charts_page("http://host:5000", "7")
    lines = invitation(own_store(tmp_path / "mlflow.db"), "7", "small")
    assert f"`workbench ui small --outputs {tmp_path}`" in lines[0]
    assert runs_page("http://127.0.0.1:5000", "7") in lines[1]
    given = Store("https://ada:secret@host/x", "https://***@host/x")
    assert runs_page("https://host/x", "7") in invitation(given, "7", "small")[1]
    assert "secret" not in "".join(invitation(given, "7", "small"))
