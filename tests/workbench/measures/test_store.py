"""Cache on disk: files are complete or made again, once for all concurrent processes."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from workbench.measures.evaluation_sets import store
from workbench.measures.evaluation_sets.store import cached

pytestmark = pytest.mark.usefixtures("cache")


@dataclass(frozen=True)
class Pair:
    first: Tensor
    second: Tensor


RECORD = Pair(torch.tensor([[1.5, -torch.inf]]), torch.tensor([True, False]))
LIKE = Pair(torch.empty(0), torch.empty(0))


class Maker:
    """Makes the record, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Pair:
        self.times += 1
        return RECORD


def same(found: Pair) -> bool:
    return all(
        torch.equal(a, b) and a.dtype == b.dtype
        for a, b in ((found.first, RECORD.first), (found.second, RECORD.second))
    )


def test_entry_is_generated_once_and_then_read(cache: Path) -> None:
    make = Maker()
    assert all(same(cached("thing", {"a": 1}, LIKE, make)) for _ in range(3))
    assert make.times == 1
    assert len(list(cache.glob("thing-*.npz"))) == 1
    assert not list(cache.glob(".*"))


def test_each_key_has_its_own_file() -> None:
    make = Maker()
    for key in ({"a": 1}, {"a": 2}, [1], {"a": 1}):
        cached("thing", key, LIKE, make)
    assert make.times == 3


def test_damaged_file_is_generated_again(cache: Path) -> None:
    make = Maker()
    cached("thing", 0, LIKE, make)
    (path,) = cache.glob("*.npz")
    whole = path.read_bytes()
    damaged = [whole[:-30], whole[:40], b"", b"not an archive"]
    damaged += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in (60, 200)]
    for times, content in enumerate(damaged, start=2):
        path.write_bytes(content)
        assert same(cached("thing", 0, LIKE, make))
        assert make.times == times
        assert path.read_bytes() == whole


def test_file_with_other_contents_is_detected(cache: Path) -> None:
    make = Maker()
    cached("thing", 0, LIKE, make)
    (path,) = cache.glob("*.npz")
    with np.load(path) as stored:
        entries = dict(stored)
    for other in (
        entries | {"0": entries["0"] + 1},
        {key: value for key, value in entries.items() if key != "1"},
        {key: value for key, value in entries.items() if key != store.DIGEST},
        entries | {"0": np.array([{"a": 1}], dtype=object)},
    ):
        np.savez(path, **other)  # type: ignore[arg-type]
        assert same(cached("thing", 0, LIKE, make))
    assert make.times == 5


def test_unwritable_folder_only_disables_caching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    make = Maker()
    assert all(same(cached("thing", 0, LIKE, make)) for _ in range(2))
    assert make.times == 2


def test_default_cache_is_in_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/somewhere")
    assert store.folder() == Path("/somewhere/.cache/muzero-workbench")


def ask(barrier: Any, queue: Any) -> None:
    """Work of one of many processes."""

    def make() -> Tensor:
        queue.put("made")
        time.sleep(0.3)
        return torch.arange(5)

    barrier.wait()
    queue.put(cached("thing", 0, torch.empty(0), make).tolist())


def test_concurrent_processes_generate_an_entry_once(cache: Path) -> None:
    fork = multiprocessing.get_context("fork")
    barrier, queue = fork.Barrier(4), fork.Queue()
    started = [fork.Process(target=ask, args=(barrier, queue)) for _ in range(4)]
    for process in started:
        process.start()
    heard = [queue.get(timeout=60) for _ in range(5)]
    for process in started:
        process.join()
    assert heard.count("made") == 1
    assert heard.count([0, 1, 2, 3, 4]) == 4
    assert not list(cache.glob(".*"))
