"""What can be read from latents by networks that are fitted after the fact.

They are fitted to copies, so that no gradient reaches the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor, nn

from workbench.models.layers import mlp
from workbench.randomness import seed_of, seeded

SEED = 20260110
"""Of what is drawn. The same for every trial and every checkpoint."""

PENALTY = 0.1
"""Of the ridge, on weights of latents that have variance 1.

With much less, what it reads of imagined latents is ruled by directions in which encoded ones
hardly differ; with much more, it reads less of encoded ones too.
"""
WIDTH, STEPS, BATCH, MOST, RATE = 128, 400, 256, 2000, 3e-3
"""Of the network: hidden units, updates, states an update, states in all, Adam's step."""

Probe = Callable[[Tensor], Tensor]
"""Latents [B, D] to what is read from them: [B, E] float32."""


def standardiser(latent: Tensor) -> Probe:
    """Every entry by its mean and deviation over [N, D]; an entry that stays the same is left out.

    What hardly moved there may move far elsewhere, and would then count for everything.
    """
    deviation, mean = torch.std_mean(latent.double(), 0, correction=0)
    held = deviation > 1e-4 * deviation.max()
    scale = (1 / deviation).where(held, torch.zeros((), dtype=torch.float64))
    return lambda latent: (latent.double() - mean) * scale


def ridge(latent: Tensor, truth: Tensor) -> Probe:
    """Linear least squares with a penalty on the weights, in closed form, in double precision."""
    scaled, mean = standardiser(latent), truth.double().mean(0)
    inputs = scaled(latent)
    covariance = inputs.T @ inputs / len(inputs)
    covariance.diagonal().add_(PENALTY)
    weight = torch.linalg.solve(covariance, inputs.T @ (truth.double() - mean) / len(inputs))
    return lambda latent: (scaled(latent) @ weight + mean).float()


def hidden(latent: Tensor, truth: Tensor) -> Probe:
    """A network with one hidden layer, fitted to the square error by Adam on batches."""
    latent, truth = latent[:MOST], truth[:MOST]
    scaled, mean = standardiser(latent), truth.mean(0)
    spread = (truth - mean).square().mean().sqrt().clamp(min=1e-9)
    draw = Generator().manual_seed(seed_of(SEED, "batches"))
    # Copies made here are plain tensors, which a gradient can pass through, whatever surrounds it.
    with torch.inference_mode(False), torch.enable_grad():
        inputs, wanted = scaled(latent).float().clone(), ((truth - mean) / spread).clone()
        with seeded(SEED, "init"):
            network = mlp([inputs.shape[1], WIDTH, wanted.shape[1]])
        optimiser = torch.optim.Adam(network.parameters(), RATE, fused=True)
        for _ in range(STEPS):
            rows = torch.randint(len(inputs), (BATCH,), generator=draw)
            optimiser.zero_grad()
            loss = nn.functional.mse_loss(network(inputs[rows]), wanted[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return lambda latent: network(scaled(latent).float()) * spread + mean


PROBES: Mapping[str, Callable[[Tensor, Tensor], Probe]] = {"ridge": ridge, "hidden": hidden}
"""By name; each is fitted to latents [N, D] and the truth [N, E]."""
