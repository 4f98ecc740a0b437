"""Reconstruction against its formulas, for planes, shades and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.workbench.losses.unroll_fixtures import line, loss, random, target

SEEN = (2, 3, 3)


class Decoder(nn.Module):
    """Reads an observation [2, 3, 3] from a latent of any shape."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.read = nn.Linear(int(np.prod(shape)), 18)

    def decode(self, latent: Tensor) -> Tensor:
        return self.read(latent.flatten(1)).view(-1, *SEEN)


def observations(dtype: torch.dtype) -> Tensor:
    noise = random(5, 4, *SEEN, seed=2)
    if dtype == torch.bool:
        return noise > 0
    return (noise.abs() * 60).clamp(max=255).to(dtype) if dtype == torch.uint8 else noise


@pytest.mark.parametrize("shape", [(6,), (2, 3, 3), (4, 3)], ids=["vector", "grid", "nodes"])
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float32], ids=str)
def test_reconstruction_loss_is_the_mean_error_of_the_entries(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    latents, seen = random(5, 4, *shape), observations(dtype)
    mask = (random(5, 4, seed=5) > 0).float()
    decoder = Decoder(*shape)
    error = loss("reconstruction", decoder)(
        line(latents), {"observation": target(seen, mask)}, None
    )
    assert error.shape == (5, 4)
    weight, bias = (p.detach().numpy().astype(float) for p in decoder.read.parameters())
    raw = latents.flatten(2).numpy() @ weight.T + bias
    x = seen.flatten(2).numpy().astype(float)
    if dtype == torch.bool:
        p = 1 / (1 + np.exp(-raw))
        each = -(x * np.log(p) + (1 - x) * np.log(1 - p))
    else:
        each = (raw - x / (255 if dtype == torch.uint8 else 1)) ** 2
    np.testing.assert_allclose(error.detach().numpy(), each.mean(-1) * mask.numpy(), rtol=1e-4)


def gradients(scale: float, mask: Tensor) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    decoder: Any = Decoder(6)
    latents = random(5, 4, 6).requires_grad_()
    seen = {"observation": target(observations(torch.bool), mask)}
    loss("reconstruction", decoder, gradient_scale=scale)(
        line(latents), seen, None
    ).sum().backward()
    assert latents.grad is not None
    return latents.grad, decoder.read.weight.grad


def test_gradient_is_scaled_for_the_latent_but_not_for_the_decoder() -> None:
    mask = (random(5, 4, seed=5) > 0).float()
    (whole, own), (tenth, same), (none, still) = (gradients(s, mask) for s in (1.0, 0.1, 0.0))
    assert torch.equal(whole.abs().sum(-1) > 0, mask > 0)
    assert torch.allclose(tenth, 0.1 * whole, atol=1e-7)
    assert not none.any()
    assert torch.allclose(own, same, atol=1e-6)
    assert torch.allclose(own, still, atol=1e-6)


def test_unroll_without_steps_reconstructs_the_first_observation() -> None:
    seen = observations(torch.bool)[:, :1]
    made = loss("reconstruction", Decoder(6))
    error = made(line(random(5, 1, 6)), {"observation": target(seen)}, None)
    assert error.shape == (5, 1)
    assert bool((error > 0).all())
