"""Everything that a stopped trial needs to go on, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from workbench.errors import WorkbenchError


def save(path: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint: a crash leaves the old one or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with temporary.open("wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def load(path: Path) -> dict[str, Any] | None:
    """The checkpoint, or None if there is none. Nothing in the file can run code.

    Raises:
        WorkbenchError: the file is not a whole checkpoint.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise WorkbenchError(
            f"{path}: is not a whole checkpoint ({reason}); delete it to begin the trial again"
        ) from None
    return state
