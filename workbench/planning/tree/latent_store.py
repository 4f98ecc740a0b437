"""Where a search keeps the latents that the model imagines for the nodes of its trees."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from workbench.types import Latent, leaves, rebuild

REUSED = 2**27
"""Bytes up to which the room for a latent's tensor is kept for the next search."""


class Imagined:
    """The latents of all nodes [N+1, B, ...], of which any are read and one is written at a time.

    They are rows of numbers in the order in which the root's stand in memory, so that a row is read
    and written in one piece, and a model's layers find what they read as they left it.
    """

    def __init__(self, nodes: int, root: Latent) -> None:
        self._like = root
        self._orders = [_order(tensor) for tensor in leaves(root)]
        self._rows = [
            _rows(place, (nodes * len(t), t.shape[1:].numel()), t.dtype, t.device)
            for place, t in enumerate(leaves(root))
        ]
        self.keep(0, root)

    def keep(self, index: int, latent: Latent) -> None:
        """Write the latents [B, ...] of one node of every tree."""
        for rows, order, tensor in zip(self._rows, self._orders, leaves(latent), strict=True):
            first, count = index * len(tensor), len(tensor)
            rows[first : first + count] = tensor.permute(order).reshape(count, -1)

    def read(self, place: Tensor) -> Latent:
        """The latents [B, ...] of the nodes in these places [B]: i B + b for node i of tree b."""
        found = []
        for rows, order, like in zip(self._rows, self._orders, leaves(self._like), strict=True):
            here = rows.index_select(0, place.to(rows.device))
            here = here.view([like.shape[dim] for dim in order])
            found.append(here.permute([order.index(dim) for dim in range(len(order))]))
        return rebuild(self._like, found)


def _order(tensor: Tensor) -> tuple[int, ...]:
    """Its dimensions as they lie in memory, but rows first."""
    return (0, *(dim for dim in tensor.dim_order() if dim))


def _rows(place: int, shape: tuple[int, int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Room for a latent's tensor, the one in this place."""
    make = _kept if shape[0] * shape[1] * dtype.itemsize <= REUSED else _kept.__wrapped__
    return make(place, shape, dtype, device)


# Fresh memory is handed out page by page as it is written, which takes longer than the writing.
@lru_cache(maxsize=4)
def _kept(place: int, shape: tuple[int, int], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.empty(shape, dtype=dtype, device=device)
