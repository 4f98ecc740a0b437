"""Probes: networks fitted after training that read the true state from latents.

They are fitted to copies, so that no gradient reaches the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor, nn

from workbench.models.layers import mlp
from workbench.randomness import derive_seed, seeded

SEED = 20260110
"""Seed of the probes' random draws; shared by all trials and checkpoints."""

PENALTY = 0.1
"""Penalty of the ridge regression, for latents scaled to variance 1.

With a much smaller penalty, directions in which encoded latents hardly differ dominate the
predictions on unrolled latents. With a much larger one, it reads less of encoded latents too.
"""
WIDTH, STEPS, BATCH, MOST, RATE = 128, 400, 256, 2000, 3e-3
"""MLP settings: hidden units, updates, batch size, maximum number of states, learning rate.
"""

Probe = Callable[[Tensor], Tensor]
"""Maps latents [B, D] to predictions [B, E] float32."""


def standardiser(latent: Tensor) -> Probe:
    """Standardise every entry by its mean and deviation over [N, D]; constant entries are dropped.

    An entry that hardly varies there may vary widely elsewhere and would then dominate.
    """
    deviation, mean = torch.std_mean(latent.double(), 0, correction=0)
    held = deviation > 1e-4 * deviation.max()
    scale = (1 / deviation).where(held, torch.zeros((), dtype=torch.float64))
    return lambda latent: (latent.double() - mean) * scale


def linear_probe(latent: Tensor, truth: Tensor) -> Probe:
    """Fit linear least squares with a ridge penalty, in closed form, in double precision."""
    scaled, mean = standardiser(latent), truth.double().mean(0)
    inputs = scaled(latent)
    covariance = inputs.T @ inputs / len(inputs)
    covariance.diagonal().add_(PENALTY)
    weight = torch.linalg.solve(covariance, inputs.T @ (truth.double() - mean) / len(inputs))
    return lambda latent: (scaled(latent) @ weight + mean).float()


def mlp_probe(latent: Tensor, truth: Tensor) -> Probe:
    """Fit an MLP with one hidden layer to the squared error, by Adam on batches."""
    latent, truth = latent[:MOST], truth[:MOST]
    scaled, mean = standardiser(latent), truth.mean(0)
    spread = (truth - mean).square().mean().sqrt().clamp(min=1e-9)
    draw = Generator().manual_seed(derive_seed(SEED, "batches"))
    # Copies made here are plain tensors, so that gradients work in any context.
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


PROBES: Mapping[str, Callable[[Tensor, Tensor], Probe]] = {
    "linear": linear_probe,
    "mlp": mlp_probe,
}
"""Probes by name; each is fitted to latents [N, D] and the truth [N, E]."""
