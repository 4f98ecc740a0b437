"""Indices of a ring buffer."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class RingBuffer:
    """Indices of a ring buffer of `capacity` slots, in which new rows overwrite the oldest.

    The serial number of a row is the number of rows written before it. It never changes. The row is
    stored in slot `serial % capacity` until it is overwritten.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.written = 0

    @property
    def size(self) -> int:
        """Number of stored rows; they occupy slots 0, 1, ..."""
        return min(self.written, self.capacity)

    def advance(self, count: int) -> Tensor:
        """Return the slots of the next `count` <= `capacity` rows, which overwrite the oldest."""
        slots = np.arange(self.written, self.written + count) % self.capacity
        self.written += count
        return torch.from_numpy(slots)

    def serial(self, slots: Tensor) -> Tensor:
        """Return the serial numbers of the rows that are now in `slots`."""
        last = self.written - 1
        return last - (last - slots) % self.capacity

    def held(self, serial: Tensor) -> Tensor:
        """Return a bool mask of the rows that have not been overwritten."""
        return serial >= self.written - self.size
