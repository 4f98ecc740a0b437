"""Bits for what is true or false: an eighth of the memory."""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from torch import Tensor


def pack(entries: Tensor) -> Tensor:
    """[R, ...] bool as [R, bytes] uint8, the first entry in a byte's highest bit."""
    return torch.from_numpy(np.packbits(entries.flatten(1).numpy(), axis=1))


def unpack(packed: Tensor, shape: tuple[int, ...]) -> Tensor:
    """[..., bytes] uint8 as [..., *shape] bool; undoes `pack`."""
    bits = np.unpackbits(packed.numpy(), axis=-1, count=prod(shape))
    return torch.from_numpy(bits.view(np.bool_)).reshape(*packed.shape[:-1], *shape)
