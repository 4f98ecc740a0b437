"""Files that the processes exchange: cases, models, roots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIMULATIONS = 50
ROOTS = "roots"
"""Name of the latents [B, ...] among the model's arrays, which have torch's names."""

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Case:
    """One search: model, planner and number of roots."""

    model: str
    actions: int
    planner: str
    batch: int


@dataclass(frozen=True)
class Searcher:
    """A search that is ready to run repeatedly from the same roots."""

    search: Callable[[], Any]
    """Run the search to its end and return what `depth` reads."""
    depth: Callable[[Any], float]
    """Mean over the roots of the deepest node's depth."""


def file(folder: Path, name: str, actions: int) -> Path:
    """Return the file of a model."""
    return folder / f"{name}_{actions}.npz"


def write(folder: Path, name: str, actions: int, batch: int) -> None:
    """Write one of `networks.MODELS`, and as many roots as the largest batch needs."""
    from benchmarks import networks

    model = networks.model(name, actions)
    arrays = {key: tensor.numpy() for key, tensor in model.state_dict().items()}
    roots = {ROOTS: networks.roots(model, batch).numpy()}
    np.savez(file(folder, name, actions), **arrays, **roots)


def read(folder: Path, name: str, actions: int) -> Arrays:
    """Read the files of `write`, without pickles."""
    with np.load(file(folder, name, actions), allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}
