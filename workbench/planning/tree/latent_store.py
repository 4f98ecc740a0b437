"""Storage of the latents of all tree nodes."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from workbench.types import Latent, tree_leaves, tree_unflatten

REUSED = 2**27
"""Maximum size in bytes of a buffer that is reused by the next search."""


class LatentStore:
    """Latents of all nodes [N+1, B, ...]; any are read, and one per tree is written at a time.

    Rows have the memory order of the root's latent, so that a row is read and written in one piece
    and the model receives latents in the order in which its layers left them.
    """

    def __init__(self, nodes: int, root: Latent) -> None:
        self._like = root
        self._orders = [_memory_order(tensor) for tensor in tree_leaves(root)]
        self._rows = [
            _rows(place, (nodes * len(t), t.shape[1:].numel()), t.dtype, t.device)
            for place, t in enumerate(tree_leaves(root))
        ]
        self.keep(0, root)

    def keep(self, index: int, latent: Latent) -> None:
        """Write the latents [B, ...] of one node of every tree."""
        for rows, order, tensor in zip(self._rows, self._orders, tree_leaves(latent), strict=True):
            first, count = index * len(tensor), len(tensor)
            rows[first : first + count] = tensor.permute(order).reshape(count, -1)

    def read(self, place: Tensor) -> Latent:
        """Return the latents [B, ...] at places [B]; node i of tree b has place i B + b."""
        found = []
        for rows, order, like in zip(
            self._rows, self._orders, tree_leaves(self._like), strict=True
        ):
            here = rows.index_select(0, place.to(rows.device))
            here = here.view([like.shape[dim] for dim in order])
            found.append(here.permute([order.index(dim) for dim in range(len(order))]))
        return tree_unflatten(self._like, found)


def _memory_order(tensor: Tensor) -> tuple[int, ...]:
    """Return the dimensions in their memory order, rows first."""
    return (0, *(dim for dim in tensor.dim_order() if dim))


def _rows(place: int, shape: tuple[int, int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the buffer for the latent's tensor number `place`."""
    make = _reused if shape[0] * shape[1] * dtype.itemsize <= REUSED else _reused.__wrapped__
    return make(place, shape, dtype, device)


# Buffers are reused: the system supplies new memory page by page, which takes longer than writing
# it.
@lru_cache(maxsize=4)
def _reused(place: int, shape: tuple[int, int], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.empty(shape, dtype=dtype, device=device)
