"""Unrolls along actions of the model's own policy."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from workbench.models.world_model import WorldModel, stack
from workbench.randomness import derive_seed
from workbench.types import Edge, Heads, Latent, Unroll


def unroll_policy(model: WorldModel, latent: Latent, steps: int) -> Unroll:
    """Unroll `steps` actions from a latent [B, ...], each sampled from the predicted policy.

    Row b uses the same random numbers in every call. This causes no bias, because the rows of a
    batch are drawn independently.
    """
    generator = Generator().manual_seed(derive_seed(0, "imagination"))
    latents, heads = [latent], [model.predict(latent)]
    edges: list[Edge] = []
    for _ in range(steps):
        latent, edge = model.step(latent, _sample_action(heads[-1], generator), generator)
        latents.append(latent)
        edges.append(edge)
        heads.append(model.predict(latent))
    return Unroll(tuple(latents), stack(heads), stack(edges))


def _sample_action(heads: Heads, generator: Generator) -> Tensor:
    """[B] Sample an action per row, as the maximum of logit plus Gumbel noise."""
    logits = heads.policy.detach()
    if heads.legal is not None:
        logits = logits.masked_fill(~heads.legal, -torch.inf)
    noise = torch.empty(logits.shape).exponential_(generator=generator).log()
    return (logits - noise.to(logits.device)).argmax(-1)
