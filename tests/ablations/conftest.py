"""Studies of fake components; they are known only while these tests run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import fake_trials
import pytest
from tracked_study import write_study

from ablations.tracking.store import prepare_store

BASE = """\
# Components that cost nothing.
study: fakes
question: Do fakes do?
base:
  environment: fake_world
  model: {name: fake_model, representation: fake_plain}
  planner: fake_planner
  procedure: fake_procedure
"""


@pytest.fixture(autouse=True, scope="module")
def fakes() -> Iterator[None]:
    fake_trials.register_fakes()
    yield
    fake_trials.unregister_fakes()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a study file: the given text after the eight lines of a sound base."""

    def write_study(text: str, base: str = BASE) -> Path:
        path = tmp_path / "study.yaml"
        path.write_text(base + text)
        return path

    return write_study


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow store; its migrations take seconds, so that tests copy it."""
    file = tmp_path_factory.mktemp("template") / "mlflow.db"
    prepare_store(file)
    return file


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    """Folder of a finished study in an output folder with an empty store."""
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    shutil.copyfile(template, outputs / "mlflow.db")
    return write_study(outputs / "small")
