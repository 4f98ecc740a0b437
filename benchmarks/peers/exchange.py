"""What the processes hand each other: cases, one network a number of actions, roots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIMULATIONS = 50
ROOTS = "roots"
"""Name of the [B, 64] latents beside the network's arrays, which have torch's names."""

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Case:
    """One search: by which planner, with how many actions, from how many roots."""

    planner: str
    actions: int
    batch: int


@dataclass(frozen=True)
class Searcher:
    """A search that is ready to run, again and again from the same roots."""

    search: Callable[[], Any]
    """Ends when the search has; gives what `depth` reads."""
    depth: Callable[[Any], float]
    """Mean over the roots of the deepest node's depth."""


def file(folder: Path, actions: int) -> Path:
    return folder / f"network_{actions}.npz"


def write(folder: Path, actions: int, batch: int) -> None:
    """The network of so many actions, and as many roots as the largest batch needs."""
    from benchmarks import networks

    model = networks.perceptron(actions)
    arrays = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    roots = {ROOTS: networks.roots(model, batch).numpy()}
    np.savez(file(folder, actions), **arrays, **roots)


def read(folder: Path, actions: int) -> Arrays:
    """As `write` left them; no pickles are opened."""
    with np.load(file(folder, actions), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
