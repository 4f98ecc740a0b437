"""Writing fails for want of space: the file is named, no partial file stays, old files stay."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from workbench.record import TrialRecord, write_text
from workbench.training import checkpoint

LIMIT = 10_000


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function after which no file may grow beyond 10 kB, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", ["checkpoint.pt", "result.json", "metrics.jsonl"])
def test_error_names_the_file_and_the_old_one_stays(
    tmp_path: Path, small_files: Callable[[], None], name: str
) -> None:
    record = TrialRecord(tmp_path)
    record.append({"step": 0, "updates": 0}, {"step": 0, "updates": 0})
    checkpoint.save(record.checkpoint, {"weights": torch.zeros(8)})
    write_text(tmp_path / "result.json", "{}")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write: dict[str, Callable[[], object]] = {
        "checkpoint.pt": lambda: checkpoint.save(
            record.checkpoint, {"weights": torch.zeros(2, LIMIT)}
        ),
        "result.json": lambda: record.finish({"notes": ["x" * 2 * LIMIT]}),
        "metrics.jsonl": lambda: record.append(
            {"step": 1, "updates": 1, "x": "y" * 2 * LIMIT}, {"step": 1, "updates": 1}
        ),
    }
    small_files()
    with pytest.raises(OSError, match="too large") as found:
        write[name]()
    assert found.value.filename == str(tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == before.keys()
    if name != "metrics.jsonl":  # its incomplete line is dropped when the trial is resumed
        assert (tmp_path / name).read_bytes() == before[name]


def test_train_ends_with_one_line_that_names_the_file(tmp_path: Path) -> None:
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT}))\n"
        "from workbench.cli.main import main; main()"
    )
    arguments = [
        "train", "--preset", "muzero", "--output", str(tmp_path / "trial"),
        "--set", "measures={predictive: null, decision: null}",
    ]  # fmt: skip
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line == f"{tmp_path}/trial/checkpoint.pt: cannot be written: File too large"
    assert not [*(tmp_path / "trial").glob("*.part"), *(tmp_path / "trial").glob(".*.part")]
