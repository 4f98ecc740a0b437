"""Bits for what is true or false: an eighth of the memory."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor


def pack(entries: Tensor) -> Tensor:
    """[R, ...] bool as [R, bytes] uint8, the first entry in a byte's highest bit."""
    return torch.from_numpy(_pack(entries.numpy().reshape(len(entries), -1)))


@njit(cache=True)
def _pack(entries: NDArray[np.bool_]) -> NDArray[np.uint8]:
    # numpy.packbits and unpackbits take several times as long for rows so short.
    rows, count = entries.shape
    packed = np.zeros((rows, (count + 7) // 8), np.uint8)
    for row in range(rows):
        for i in range(count):
            packed[row, i >> 3] |= entries[row, i] << (7 - (i & 7))
    return packed
