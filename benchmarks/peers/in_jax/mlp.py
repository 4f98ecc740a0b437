"""`networks.mlp_model` in jax."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.networks import DISCOUNT
from benchmarks.peers.exchange import ROOTS, Arrays
from benchmarks.peers.in_jax.layers import linear, min_max, perceptron


def load(arrays: Arrays) -> tuple[dict[str, Any], Any]:
    """Load weights by torch's names, and roots [B, 64]."""
    weights = {name: jnp.asarray(array) for name, array in arrays.items()}
    return weights, weights.pop(ROOTS)


def predict(weights: Any, latent: Any) -> tuple[Any, Any]:
    """Return logits [B, A] and value [B]."""
    raw = perceptron(weights, "prediction.state.hidden", "prediction.state.out", latent)
    return raw[:, :-1], raw[:, -1]


def step(weights: Any, latent: Any, action: Any) -> tuple[Any, Any, Any]:
    """Return the next latent [B, 64], reward [B] and discount [B]."""
    hidden = linear(weights, "dynamics.latent", latent) + weights["dynamics.action.weight"][action]
    then = min_max(latent + linear(weights, "dynamics.out", jax.nn.relu(hidden)))
    edge = "prediction.transition"
    reward = perceptron(weights, f"{edge}.hidden", f"{edge}.out", then)[:, 0]
    return then, reward, jnp.full_like(reward, DISCOUNT)
