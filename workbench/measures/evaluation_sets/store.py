"""What is costly to make is made once on a machine, and read by every later trial."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar

import numpy as np
import torch

from workbench.measures.evaluation_sets.digest import digest
from workbench.types import leaves, rebuild

T = TypeVar("T")

DIGEST = "digest"
"""The entry of a file that holds the digest of the others."""


def folder() -> Path:
    """Where such files lie: `$XDG_CACHE_HOME/muzero-workbench`, by default below `~/.cache`."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "muzero-workbench"


def kept(name: str, key: Any, like: T, make: Callable[[], T]) -> T:
    """A record of tensors from its file, or made and written where there is no whole one.

    Of several processes that want it at once, one makes it and the others wait. Where the folder
    cannot be written, it is made every time.

    Args:
        key: plain data, everything that determines the record; its hash is in the file's name.
        like: a record of the same form, whatever its tensors hold.
    """
    text = json.dumps(key, sort_keys=True, separators=(",", ":"))
    path = folder() / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
    found = _read(path, like)
    if found is not None:
        return found
    with _alone(path.with_suffix(".lock")) as writable:
        found = _read(path, like) if writable else None
        if found is None:
            found = make()
            if writable:
                _write(path, found)
    return found


def _read(path: Path, like: T) -> T | None:
    """The record in a file; None if there is none, or it is not what was written."""
    count = len(leaves(like))
    try:
        with np.load(path, allow_pickle=False) as stored:
            tensors = [torch.from_numpy(stored[str(i)]) for i in range(count)]
            whole = str(stored[DIGEST]) == digest(*tensors)
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        return None
    return rebuild(like, tensors) if whole else None


def _write(path: Path, record: Any) -> None:
    """Replace the file whole: a reader finds the old one or the new, never a part."""
    tensors = leaves(record)
    arrays: dict[str, Any] = {str(i): tensor.numpy() for i, tensor in enumerate(tensors)}
    arrays[DIGEST] = np.array(digest(*tensors))
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
        np.savez_compressed(stream, **arrays)
        stream.flush()
        os.fsync(stream.fileno())
    Path(stream.name).replace(path)


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    """Hold a lock, which goes with the process; False where there can be none."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        stream = lock.open("a")
        fcntl.flock(stream, fcntl.LOCK_EX)
    except OSError:
        yield False
        return
    with stream:
        yield True
