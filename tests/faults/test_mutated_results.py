"""A report of a study with a randomly damaged file: never a traceback, and the rest is reported.

The mutations are those that happen to files: cut, flipped bits, lost or foreign lines, another
file's contents, a folder, a loop of links. A mutant may be harmless or make the study unreadable
(`WorkbenchError`); every other outcome is a fault.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from analysis.frames import load_study
from analysis.report import write_report
from tests.analysis.conftest import write_study
from tests.analysis.evaluated_study import write_evaluation
from workbench.errors import WorkbenchError

FOREIGN: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, 10**30, 10**400, "", "text", [], [1], {}, {"a": 1}, [[]], {"": None},
    float("inf"), float("nan"), "\ud800",
)  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two conditions and two seeds, all finished and evaluated."""
    folder = tmp_path_factory.mktemp("sound") / "study"
    write_study(folder, conditions=("cnn", "gcn"), seeds=(0, 1))
    for number, trial in enumerate(sorted((folder / "trials").iterdir())):
        write_evaluation(trial, number)
    return folder


def _places(data: Any) -> list[tuple[Any, Any]]:
    """Return all (container, key) pairs of JSON data."""
    if isinstance(data, dict | list):
        keys = list(data) if isinstance(data, dict) else list(range(len(data)))
        return [(data, key) for key in keys] + [p for key in keys for p in _places(data[key])]
    return []


def _change_json(path: Path, draw: random.Random) -> None:
    """Replace or delete one value of a JSON file, or of one line of a file of rows."""
    lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    number = draw.randrange(len(lines))
    data = json.loads(lines[number])
    places = _places(data)
    container, key = draw.choice(places)
    if draw.random() < 0.3:
        del container[key]
    elif isinstance(container, dict) and draw.random() < 0.2:
        container[
            draw.choice(["@@", "a[b", "x@1@2", "y@99999999999999999999", "z[q=1,q=2]", ""])
        ] = 1
    else:
        container[key] = draw.choice(FOREIGN)
    lines[number] = json.dumps(data)
    path.write_text("\n".join(lines) + "\n")


def _flip(path: Path, draw: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def _cut(path: Path, draw: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: draw.randrange(len(data))])


def _foreign_line(path: Path, draw: random.Random) -> None:
    lines = path.read_bytes().split(b"\n")
    foreign = draw.choice([b"", b"\xff\xfe", b"[1]", b"null", b"{}", b"[" * 100_000, b"9" * 5000])
    lines.insert(draw.randrange(len(lines)), foreign)
    path.write_bytes(b"\n".join(lines))


def _swap(path: Path, draw: random.Random) -> None:
    others = [other for other in sorted(path.parents[1].rglob("*")) if other.is_file()]
    shutil.copy(draw.choice(others), path.with_name("copy"))
    path.with_name("copy").replace(path)


def _folder(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.symlink_to(path)


def _empty(path: Path, draw: random.Random) -> None:
    path.write_bytes(draw.choice([b"", b"{}", b"[]", b"null", b"\0" * 64]))


MUTATIONS: tuple[Callable[[Path, random.Random], None], ...] = (
    _flip, _cut, _foreign_line, _swap, _folder, _loop, _empty,
)  # fmt: skip


def mutate(folder: Path, draw: random.Random) -> str:
    """Damage one file of a study; return what was done."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    path = draw.choice(files)
    structured = path.suffix in (".json", ".jsonl") and draw.random() < 0.5
    mutation = _change_json if structured else draw.choice(MUTATIONS)
    mutation(path, draw)
    return f"{mutation.__name__} {path.relative_to(folder)}"


def damaged(sound: Path, folder: Path, seed: int) -> str:
    shutil.copytree(sound, folder)
    return mutate(folder, random.Random(seed))


def _sized(seeds: int, slow: int) -> list[Any]:
    """Return the seeds of the mutants; those beyond the first run only with the slow tests."""
    return [*range(seeds), *(pytest.param(s, marks=pytest.mark.slow) for s in range(seeds, slow))]


@pytest.mark.parametrize("seed", _sized(80, 1000))
def test_mutant_is_read(sound: Path, tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "study"
    what = damaged(sound, folder, seed)
    if "study.json" in what:
        with suppress(WorkbenchError):
            load_study(folder)
        return
    results = load_study(folder)
    assert len(results.trials) == 4, what
    assert (results.trials["state"] == "done").sum() >= 3, what


@pytest.mark.parametrize("seed", _sized(2, 300))
def test_report_of_mutant_is_written(sound: Path, tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "study"
    what = damaged(sound, folder, 10_000 + seed)
    if "study.json" in what:
        with suppress(WorkbenchError):
            write_report(folder)
        return
    assert write_report(folder).index.is_file(), what
