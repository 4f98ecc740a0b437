"""Unrolls and targets made by hand, and models of nothing but a specification."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Generator, Tensor

from workbench.components import LossConfig
from workbench.contracts import Loss
from workbench.registry import components
from workbench.types import Edge, Heads, LatentKind, LatentSpec, ModelSpec, Target, Unroll

SHAPES: dict[LatentKind, tuple[int, ...]] = {"vector": (6,), "grid": (2, 3, 3), "nodes": (4, 3)}


def model(kind: LatentKind = "vector", shape: tuple[int, ...] | None = None) -> Any:
    spec = LatentSpec(kind, SHAPES[kind] if shape is None else shape)
    return SimpleNamespace(
        spec=ModelSpec(spec, 2, frozenset()), latent_tensor=lambda latent: latent
    )


def loss(name: str, of: Any, **options: Any) -> Loss:
    cls: Any = components("loss")[name]
    config: LossConfig = cls(**options)
    torch.manual_seed(3)
    return config.build(of)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed))


def line(
    latents: Tensor | None = None,
    value: Tensor | None = None,
    reward: Tensor | None = None,
    discount: Tensor | None = None,
) -> Unroll:
    """An unroll of latents [B, K+1, ...] with heads [B, K+1] and edges [B, K]."""
    given = latents if latents is not None else value
    assert given is not None
    steps = given.shape[1]
    nothing = torch.zeros(given.shape[:2])
    heads = Heads(nothing[..., None], nothing if value is None else value)
    blank = nothing[:, 1:]
    edge = Edge(blank if reward is None else reward, blank if discount is None else discount)
    shown = tuple(nothing.unbind(1)) if latents is None else tuple(latents.unbind(1))
    return Unroll(shown, heads, edge if steps > 1 else None)


def target(value: Tensor, mask: Tensor | None = None) -> Target:
    return Target(value, torch.ones(value.shape[:2]) if mask is None else mask)


def imagined_mask(rows: int, steps: int, seed: int = 5) -> Tensor:
    """A mask [B, K+1] of 0 and 1, with 0 at the first state."""
    mask = (random(rows, steps + 1, seed=seed) > 0).float()
    mask[:, 0] = 0
    assert 0 < float(mask.sum()) < rows * steps
    return mask
