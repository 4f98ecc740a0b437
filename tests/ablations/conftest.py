"""Studies of fake components; they are known only while these tests run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import fake_trials
import pytest

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
