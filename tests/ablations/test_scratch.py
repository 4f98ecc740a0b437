"""Temporary folders of launches that died are removed, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ablations import scratch
from ablations.scratch import LOCK, remove_dead, scratch_folder

LAUNCH = """
import sys, time
from pathlib import Path
from ablations.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


def test_only_folders_of_dead_launches_are_removed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    assert folder.parent == tmp_path
    unmarked = tmp_path / "workbench-notes"
    unmarked.mkdir()
    remove_dead(tmp_path)
    assert folder.exists(), "its process is alive"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert folder.exists()
    remove_dead(tmp_path)
    assert not folder.exists()
    assert unmarked.exists(), "it has no mark of a launch"


def test_folders_of_other_users_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "workbench-other"
    folder.mkdir()
    (folder / LOCK).touch()
    mine = os.getuid()
    monkeypatch.setattr(scratch.os, "getuid", lambda: mine + 1)
    remove_dead(tmp_path)
    assert folder.exists()


def test_the_folder_is_private_and_removed_at_the_end(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        assert folder.stat().st_mode & 0o077 == 0
        assert (folder / LOCK).read_text() == f"{os.getpid()}\n"
    assert not folder.exists()
