"""Layers of both models."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def linear(weights: Any, name: str, inputs: Any) -> Any:
    """[..., in] -> [..., out] Apply the layer of that name."""
    return inputs @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def perceptron(weights: Any, first: str, second: str, inputs: Any) -> Any:
    """[..., in] -> [..., out] Apply two layers with a ReLU between them."""
    return linear(weights, second, jax.nn.relu(linear(weights, first, inputs)))


def min_max(latent: Any) -> Any:
    """[B, ...] -> [B, ...] Scale every row to [0, 1]."""
    rest = tuple(range(1, latent.ndim))
    low, high = latent.min(rest, keepdims=True), latent.max(rest, keepdims=True)
    return (latent - low) / jnp.maximum(high - low, 1e-5)
