"""Checkpoints: the complete state of a trial, written atomically."""

from __future__ import annotations

import os
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from workbench.errors import WorkbenchError


def save(path: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint atomically: a crash leaves the old or the new file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with temporary.open("wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def load(path: Path) -> dict[str, Any] | None:
    """Load the checkpoint; None if there is none. Loading cannot run code from the file.

    Raises:
        WorkbenchError: the file is damaged or incomplete.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise WorkbenchError(
            f"{path}: is not a complete checkpoint ({reason}); delete it to restart the trial"
        ) from None
    return state
