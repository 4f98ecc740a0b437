"""Named random streams derived from one root seed; a trial draws all its numbers from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive_seed(root: int, name: str) -> int:
    """Return the 63-bit seed of stream `name` under seed `root`; names give independent seeds."""
    digest = hashlib.blake2b(f"{root}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


@contextmanager
def seeded(root: int, name: str) -> Iterator[None]:
    """Run a block, such as a network's initialisation, with torch seeded by its own stream.

    A network with its own stream starts with the same weights in all conditions of one seed.
    """
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(root, name))
        yield


def numpy_generator(generator: torch.Generator) -> np.random.Generator:
    """Return a numpy generator seeded by the next number of a torch stream."""
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    return np.random.default_rng(int(seed))


class Streams:
    """The named generators of one trial, created on first use."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._streams: dict[str, torch.Generator] = {}

    def __getitem__(self, name: str) -> torch.Generator:
        if name not in self._streams:
            stream = torch.Generator()
            stream.manual_seed(derive_seed(self._root, name))
            self._streams[name] = stream
        return self._streams[name]

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the state of every stream."""
        return {name: stream.get_state() for name, stream in self._streams.items()}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Restore streams from their states."""
        for name, value in state.items():
            self[name].set_state(value)
