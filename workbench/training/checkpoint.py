"""Checkpoints: the complete state of a trial, written atomically."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from workbench.errors import WorkbenchError
from workbench.record import naming, replacing
from workbench.result_files import DamagedFile, check_archive


def save(path: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint atomically: a crash leaves the old or the new file."""
    with replacing(path) as stream:
        try:
            torch.save(state, stream)
        except RuntimeError as error:  # torch's own, while it closes a file that it could not write
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None


def load(path: Path) -> dict[str, Any] | None:
    """Load the checkpoint; None if there is none. Loading cannot run code from the file.

    torch ignores the checksums of a checkpoint, so that a flipped bit would change the weights
    without a word. They are checked first.

    Raises:
        DamagedFile: the file is not what was saved.
        WorkbenchError: the file is whole, but cannot be loaded.
    """
    if path.is_dir():
        raise DamagedFile(path, "is a folder in the place of a file")
    if not path.exists():
        return None
    with naming(path):
        check_archive(path)
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, ValueError, KeyError, UnpicklingError) as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise WorkbenchError(
                f"{path}: cannot be loaded, perhaps because another version of torch wrote it "
                f"({reason}); delete it to run the trial again"
            ) from None
    if not isinstance(state, dict) or not {"id", "schema", "procedure"} <= set(state):
        raise DamagedFile(path, "is not the checkpoint of a trial")
    return state
