"""The SQLite store of an output folder: created whole, checked, upgraded, and moved with it."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from ablations.tracking.address import ARTIFACTS, sqlite_uri
from workbench.errors import WorkbenchError

_SIDE_FILES = ("-journal", "-wal", "-shm")
_LOCATIONS = "SELECT experiment_id, name, artifact_location FROM experiments"


def prepare_store(file: Path) -> list[str]:
    """Make the store usable: create, upgrade or replace it where necessary.

    MLflow creates its tables in many steps, and a process that is killed in between leaves a file
    that MLflow refuses for ever. The tables are therefore created in another file, which is renamed
    when it is complete. Two launches that start at once take turns.

    Returns:
        warnings for the user.

    Raises:
        WorkbenchError: the folder cannot be written, or another process blocks the file.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _locked(file):
            return _prepare(file)
    except OSError as error:
        reason = error.strerror or error
        raise WorkbenchError(f"{error.filename or file}: cannot be written: {reason}") from None


def _prepare(file: Path) -> list[str]:
    for leftover in file.parent.glob(f".{file.name}.*.part*"):
        leftover.unlink(missing_ok=True)
    if not file.exists() or file.stat().st_size == 0:
        _create(file)
        return []
    try:
        revision = schema_revision(file)
        if revision != _current_revision():
            _upgrade(file)
    except WorkbenchError:
        raise
    except Exception as error:  # whatever MLflow's migrations raise on a half-made file
        return [_set_aside(file, " ".join([type(error).__name__, *str(error).splitlines()[:1]]))]
    relocate_artifacts(file)
    return []


def schema_revision(file: Path) -> str | None:
    """Return the revision of the tables in a store; None if they are incomplete.

    Raises:
        sqlite3.DatabaseError: the file is damaged or no database.
        WorkbenchError: another process blocks the file, or it cannot be opened.
    """
    try:
        with closing(_connect(file)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(str(verdict).splitlines()[0])
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise WorkbenchError(f"{file}: cannot be read: {error}") from None
    return str(rows[0][0]) if len(rows) == 1 else None


def experiments(file: Path) -> dict[str, str]:
    """Return the ids of the active experiments in a store by name, without importing MLflow.

    Raises:
        WorkbenchError: the file cannot be read.
    """
    query = "SELECT name, experiment_id FROM experiments WHERE lifecycle_stage = 'active'"
    try:
        with closing(_connect(file)) as connection:
            rows = connection.execute(f"{query} ORDER BY experiment_id").fetchall()
    except sqlite3.Error as error:
        raise WorkbenchError(
            f"{file}: cannot be read as an MLflow store: {error}; "
            "the next `workbench ablate` or `workbench sync` replaces it"
        ) from None
    return {str(name): str(number) for name, number in rows if name != "Default"}


def relocate_artifacts(file: Path) -> None:
    """Point the experiments to the artifacts beside the file, after the folder was moved or copied.

    MLflow stores absolute addresses, and would otherwise write into the former folder.
    """
    root = (file.parent / ARTIFACTS).as_uri()
    with closing(_connect(file)) as connection, connection:
        for number, name, old in connection.execute(_LOCATIONS).fetchall():
            new = f"{root}/{name}"
            if old == new or not str(old).endswith(f"/{ARTIFACTS}/{name}"):
                continue
            connection.execute(
                "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?",
                (new, number),
            )
            connection.execute(
                "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) "
                "WHERE experiment_id = ? AND substr(artifact_uri, 1, ?) = ?",
                (new, len(old) + 1, number, len(old) + 1, f"{old}/"),
            )


def _create(file: Path) -> None:
    with _replacing(file) as part:
        _run_migrations(part, "_initialize_tables")


def _upgrade(file: Path) -> None:
    """Bring a copy of the store to the tables of the installed MLflow, and replace the store."""
    with _replacing(file) as part:
        shutil.copyfile(file, part)
        _run_migrations(part, "_upgrade_db")
        if schema_revision(part) != _current_revision():
            raise WorkbenchError("the tables are incomplete")


def _set_aside(file: Path, reason: str) -> str:
    """Rename a broken store, create a new one, and return a warning."""
    aside = file.with_name(f"{file.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
    file.replace(aside)
    for suffix in _SIDE_FILES:
        with suppress(FileNotFoundError):
            Path(f"{file}{suffix}").replace(f"{aside}{suffix}")
    _create(file)
    return (
        f"the tracking store {file} cannot be used ({reason}); it was renamed to {aside.name}, and "
        "a new store is filled from the trials' folders"
    )


@contextmanager
def _replacing(file: Path) -> Iterator[Path]:
    """Yield the path of a new file that replaces `file` at the end, if nothing was raised."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(file)
    finally:
        for suffix in ("", *_SIDE_FILES):
            Path(f"{part}{suffix}").unlink(missing_ok=True)


def _run_migrations(file: Path, function: str) -> None:
    """Create or upgrade all tables of MLflow in a file, by a function of MLflow."""
    utils: Any = import_module("mlflow.store.db.utils")
    engine = utils.create_sqlalchemy_engine(sqlite_uri(file))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            getattr(utils, function)(engine)
    finally:
        engine.dispose()


def _current_revision() -> str:
    return str(import_module("mlflow.store.db.utils")._get_latest_schema_revision())


def _connect(file: Path) -> sqlite3.Connection:
    """Open an existing file; unlike a path alone, an address does not create it."""
    return sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, timeout=5)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.with_name(f".{file.name}.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
