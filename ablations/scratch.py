"""Temporary folder of a launch; the next launch removes those whose process is dead."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "workbench-"
LOCK = "launch.lock"
"""Locked file that marks the folder of a launch; the lock ends with its process."""


def default_root() -> Path:
    """Return /tmp if it exists: paths of Ray's sockets must be short, and TMPDIR may be long."""
    return Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())


@contextlib.contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """Context manager: a folder in `root` that only this user can read, removed at the end."""
    remove_dead(root)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
    try:
        with _locked(folder / LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Context manager: hold a locked file, which appears under its name only once it is locked."""
    created = path.with_suffix(".new")
    with created.open("w", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        created.rename(path)
        yield


def remove_dead(root: Path) -> None:
    """Remove this user's folders of launches whose process is dead; a folder without mark stays."""
    for lock in root.glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError):  # another launch removes it at the same time
            folder = lock.parent
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with lock.open(encoding="utf-8") as stream:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
