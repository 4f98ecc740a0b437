"""Cache of costly evaluation sets: made once per machine and read by later trials."""

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

from workbench.cache import folder
from workbench.measures.evaluation_sets.digest import digest
from workbench.types import tree_leaves, tree_unflatten

T = TypeVar("T")

DIGEST = "digest"
"""Entry of a file that holds the digest of the other entries."""


def cached(name: str, key: Any, like: T, make: Callable[[], T]) -> T:
    """Read a record of tensors from its file, or make and write it.

    If several processes need it, one makes it and the others wait. If the folder cannot be written,
    it is made in every process.

    Args:
        name: first part of the file's name.
        key: plain data that determines the record; its hash is part of the file's name.
        make: computes the record.
        like: a record with the same structure, whatever its tensors hold.
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
    """Return the record in a file; None if it is missing or damaged."""
    count = len(tree_leaves(like))
    try:
        with np.load(path, allow_pickle=False) as stored:
            tensors = [torch.from_numpy(stored[str(i)]) for i in range(count)]
            whole = str(stored[DIGEST]) == digest(*tensors)
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        return None
    return tree_unflatten(like, tensors) if whole else None


def _write(path: Path, record: Any) -> None:
    """Replace the file atomically: a reader finds the old or the new one."""
    tensors = tree_leaves(record)
    arrays: dict[str, Any] = {str(i): tensor.numpy() for i, tensor in enumerate(tensors)}
    arrays[DIGEST] = np.array(digest(*tensors))
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
        np.savez_compressed(stream, **arrays)
        stream.flush()
        os.fsync(stream.fileno())
    Path(stream.name).replace(path)


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    """Hold a lock until the block ends; yield False if locking is impossible."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        stream = lock.open("a")
        fcntl.flock(stream, fcntl.LOCK_EX)
    except OSError:
        yield False
        return
    with stream:
        yield True
