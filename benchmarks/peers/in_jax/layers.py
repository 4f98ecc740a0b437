"""What both models are made of."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def linear(weights: Any, name: str, inputs: Any) -> Any:
    """The layer of that name. [..., in] -> [..., out]"""
    return inputs @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def perceptron(weights: Any, first: str, second: str, inputs: Any) -> Any:
    """Two layers with a ReLU between them. [..., in] -> [..., out]"""
    return linear(weights, second, jax.nn.relu(linear(weights, first, inputs)))


def min_max(latent: Any) -> Any:
    """Every row scaled to [0, 1]. [B, ...] -> [B, ...]"""
    rest = tuple(range(1, latent.ndim))
    low, high = latent.min(rest, keepdims=True), latent.max(rest, keepdims=True)
    return (latent - low) / jnp.maximum(high - low, 1e-5)
