"""One seed tree of named streams: every random number of a trial comes from one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_of(root: int, name: str) -> int:
    """The seed of the stream `name` under `root`: 63 bits, independent between names."""
    digest = hashlib.blake2b(f"{root}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


@contextmanager
def seeded(root: int, name: str) -> Iterator[None]:
    """Run a block, such as the initialisation of a network, on a stream of its own.

    Parts built from streams of their own begin alike in every arm that shares the seed.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(root, name))
        yield


def numpy_generator(generator: torch.Generator) -> np.random.Generator:
    """A numpy generator that continues a torch stream."""
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    return np.random.default_rng(int(seed))


class Streams:
    """The named generators of one trial, made when first asked for."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._streams: dict[str, torch.Generator] = {}

    def __getitem__(self, name: str) -> torch.Generator:
        if name not in self._streams:
            stream = torch.Generator()
            stream.manual_seed(seed_of(self._root, name))
            self._streams[name] = stream
        return self._streams[name]

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {name: stream.get_state() for name, stream in self._streams.items()}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        for name, value in state.items():
            self[name].set_state(value)
