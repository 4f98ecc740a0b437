"""Lines of play that the model thinks up by itself."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from workbench.models.world_model import WorldModel, stack
from workbench.randomness import seed_of
from workbench.types import Edge, Heads, Latent, Unroll


def imagine(model: WorldModel, latent: Latent, steps: int) -> Unroll:
    """`steps` moves from a latent [B, ...], each drawn from the policy that the model predicts.

    The draws are the same for row b in every call. A batch's rows are drawn independently of each
    other, so that row b meets any latent with any draw all the same.
    """
    generator = Generator().manual_seed(seed_of(0, "imagination"))
    latents, heads = [latent], [model.predict(latent)]
    edges: list[Edge] = []
    for _ in range(steps):
        latent, edge = model.step(latent, _drawn(heads[-1], generator), generator)
        latents.append(latent)
        edges.append(edge)
        heads.append(model.predict(latent))
    return Unroll(tuple(latents), stack(heads), stack(edges))


def _drawn(heads: Heads, generator: Generator) -> Tensor:
    """One action a row, by the largest of logit plus Gumbel noise. [B]"""
    logits = heads.policy.detach()
    if heads.legal is not None:
        logits = logits.masked_fill(~heads.legal, -torch.inf)
    noise = torch.empty(logits.shape).exponential_(generator=generator).log()
    return (logits - noise.to(logits.device)).argmax(-1)
