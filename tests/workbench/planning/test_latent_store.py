"""Latents of a search are read as they were written, in any memory layout."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from workbench.planning.tree import latent_store
from workbench.planning.tree.latent_store import LatentStore
from workbench.types import Latent, tree_leaves

BATCH, NODES = 3, 5
LATENTS: dict[str, Latent] = {
    "a vector": torch.rand(BATCH, 7),
    "a grid": torch.rand(BATCH, 4, 2, 3),
    "a grid with its channels last": torch.rand(BATCH, 2, 3, 4).permute(0, 3, 1, 2),
    "nodes, each with the whole batch": torch.rand(4, BATCH, 2).transpose(0, 1),
    "a number for each row": torch.rand(BATCH),
    "alike tensors side by side": (torch.rand(BATCH, 7), torch.rand(BATCH, 7)),
    "more than numbers": (torch.rand(BATCH, 2, 2), torch.rand(BATCH, 3) < 0.5),
}


def _other(tensor: Tensor, index: int) -> Tensor:
    """Different numbers in each node, in the same layout."""
    return tensor ^ bool(index % 2) if tensor.dtype == torch.bool else tensor + index


@pytest.mark.parametrize("name", LATENTS)
def test_stored_latents_are_read_unchanged(name: str) -> None:
    root = LATENTS[name]
    store = LatentStore(NODES, root)
    for index in range(1, NODES):
        tensors = [_other(tensor, index) for tensor in tree_leaves(root)]
        store.keep(index, tuple(tensors) if isinstance(root, tuple) else tensors[0])
    node = torch.tensor([3, 0, 4])
    place = node * BATCH + torch.arange(BATCH)
    for found, tensor in zip(tree_leaves(store.read(place)), tree_leaves(root), strict=True):
        expected = torch.stack([_other(tensor, int(k))[b] for b, k in enumerate(node)])
        assert torch.equal(found, expected)
        assert found.dtype == tensor.dtype


def test_stored_board_latents_keep_their_memory_layout() -> None:
    board = LATENTS["a grid with its channels last"]
    found = LatentStore(NODES, board).read(torch.arange(BATCH))
    assert isinstance(found, Tensor)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_small_buffers_are_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    root, place = torch.rand(BATCH, 11), torch.arange(BATCH)
    first, second = LatentStore(NODES, root), LatentStore(NODES, root + 1)
    assert torch.equal(first.read(place), root + 1)  # the same rows, now the second search's
    monkeypatch.setattr(latent_store, "REUSED", 0)
    third = LatentStore(NODES, root + 2)
    assert torch.equal(second.read(place), root + 1)
    assert torch.equal(third.read(place), root + 2)
