"""Which rows of a ring stand where, and which have gone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class Ring:
    """`capacity` places that are written one after the other, over and over.

    A row is known by its place while it is there, and for good by its serial number: how many rows
    were written before it. It stands at place `serial % capacity`.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.written = 0

    @property
    def size(self) -> int:
        """Number of rows held; they stand at places 0, 1, ..."""
        return min(self.written, self.capacity)

    def advance(self, count: int) -> Tensor:
        """The places of the next `count` rows, at most `capacity`; the oldest give way."""
        place = np.arange(self.written, self.written + count) % self.capacity
        self.written += count
        return torch.from_numpy(place)

    def serial(self, place: Tensor) -> Tensor:
        """The serial numbers of the rows that stand at `place` now."""
        last = self.written - 1
        return last - (last - place) % self.capacity

    def held(self, serial: Tensor) -> Tensor:
        """Bool: which rows are still here."""
        return serial >= self.written - self.size
