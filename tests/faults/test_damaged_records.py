"""Damaged, edited and exchanged files of a trial are recognised; its neighbours are unharmed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from analysis.caveats import caveats
from analysis.frames import load_study
from tests.analysis.conftest import write_study
from workbench.config import SCHEMA_VERSION
from workbench.errors import WorkbenchError
from workbench.record import TrialRecord
from workbench.result_files import config_id
from workbench.training import checkpoint


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of two conditions and two seeds, all finished."""
    return write_study(tmp_path / "study", conditions=("cnn", "gcn"), seeds=(0, 1))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _other(path: Path) -> None:
    path.write_bytes((path.parents[1] / "gcn-1" / path.name).read_bytes())


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty object": (lambda p: p.write_text("{}"), "is damaged: lacks id, metrics, schema"),
    "list": (lambda p: p.write_text("[1]"), r"is damaged: expected an object, found \[1\]"),
    "cut": (lambda p: p.write_bytes(p.read_bytes()[:50]), "is damaged: no JSON at line"),
    "bad byte": (lambda p: p.write_bytes(b"{\xff}"), "is not text: byte 1 is no UTF-8"),
    "folder": (_folder, "is a folder in the place of a file"),
    "loop of links": (_loop, "cannot be read: Too many levels of symbolic links"),
    "another trial's": (_other, "is the result of trial gcn-1, but this folder is that of .*cnn-0"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_result_is_not_done_and_the_others_are_reported(study: Path, kind: str) -> None:
    damage, reason = DAMAGE[kind]
    damage(study / "trials" / "cnn-0" / "result.json")
    record = TrialRecord(study / "trials" / "cnn-0", "cnn-0")
    assert record.state() != "done"
    with pytest.raises(WorkbenchError, match=rf"cnn-0/result\.json: {reason}"):
        record.read_result()
    results = load_study(study)
    assert set(results.done["trial"]) == {"cnn-1", "gcn-0", "gcn-1"}
    (row,) = results.damage.to_dict("records")
    assert row["trial"] == "cnn-0"
    assert row["reason"].startswith("trials/cnn-0/result.json: ")
    assert caveats(results)[0].startswith("Trial `cnn`, seed 0, has damaged files: trials/cnn-0/")


def test_damaged_row_costs_one_row(study: Path) -> None:
    path = study / "trials" / "gcn-0" / "metrics.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], b"\xff", *lines[2:]]) + b"\n")
    results = load_study(study)
    assert len(results.done) == 4
    curve = results.curves.query("trial == 'gcn-0' and metric == 'training/loss'")
    assert len(curve) == len(lines) - 1
    assert list(results.damage["reason"]) == [
        "trials/gcn-0/metrics.jsonl:2: the row is damaged: no UTF-8"
    ]


def test_edited_configuration_is_noticed(tmp_path: Path) -> None:
    config = {"planner": {"name": "puct", "simulations": 10}, "seed": 0, "rate": 1e-05}
    trial = config_id(config, SCHEMA_VERSION)
    record = TrialRecord(tmp_path, trial)
    record.start(config)
    result = {"id": trial, "schema": SCHEMA_VERSION, "steps": 1, "updates": 1, "metrics": {}}
    record.finish(result)
    assert record.read_result() == json.loads(json.dumps(result))
    path = tmp_path / "config.yaml"
    path.write_text(path.read_text().replace("simulations: 10", "simulations: 2"))
    with pytest.raises(WorkbenchError, match=r"config\.yaml: describes trial \w+, but"):
        record.read_result()
    assert record.state() == "new"


def test_flipped_bits_in_a_checkpoint_never_change_it_silently(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    weights = torch.arange(3000.0)
    state = {"id": "x", "schema": SCHEMA_VERSION, "procedure": {"weights": weights}}
    checkpoint.save(path, state)
    sound, draw, noticed = path.read_bytes(), random.Random(0), 0
    for _ in range(40):
        data = bytearray(sound)
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(data)
        try:
            found = checkpoint.load(path)
        except WorkbenchError:
            noticed += 1
            continue
        assert found is not None
        assert torch.equal(found["procedure"]["weights"], weights)
    assert noticed >= 30
