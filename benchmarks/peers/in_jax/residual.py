"""`networks.residual_model` in jax, on latents [B, H, W, C] where torch has [B, C, H, W].

On a CPU, XLA's convolutions are 12 to 17 times as fast with channels last as with channels first,
at any batch size. One product with nine shifted copies of the planes takes 0.7 to 0.8 of their time
for one root, 0.8 to 1 for 16 and 1.3 to 2.2 for 128, so XLA's convolutions are used.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.networks import DISCOUNT
from benchmarks.peers.exchange import ROOTS, Arrays
from benchmarks.peers.in_jax.layers import linear, min_max, perceptron

LAYOUT = ("NHWC", "HWIO", "NHWC")
BLOCKS = ("dynamics.tower.1", "dynamics.tower.2")


def load(arrays: Arrays) -> tuple[dict[str, Any], Any]:
    """Load weights by torch's names, kernels as [H, W, in, out], and roots [B, H, W, C]."""
    weights = {
        name: jnp.asarray(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array)
        for name, array in arrays.items()
        if name != ROOTS
    }
    return weights, jnp.asarray(arrays[ROOTS].transpose(0, 2, 3, 1))


def predict(weights: Any, latent: Any) -> tuple[Any, Any]:
    """Return logits [B, A] and value [B]."""
    cells = jax.nn.relu(linear(weights, "prediction.cell", latent))
    value = perceptron(weights, "prediction.value.0", "prediction.value.2", _pool(cells))
    scores = linear(weights, "prediction.policy.score", cells)[..., 0]
    return scores.mean(1), value[:, 0]  # an action is a column


def step(weights: Any, latent: Any, action: Any) -> tuple[Any, Any, Any]:
    """Return the next latent [B, H, W, C], reward [B], discount [B] (the players alternate)."""
    then = min_max(latent + _tower(weights, latent, action))
    cells = jax.nn.relu(linear(weights, "prediction.edge_cell", then))
    edge = "prediction.transition"
    reward = perceptron(weights, f"{edge}.0", f"{edge}.2", _pool(cells))[:, 0]
    return then, reward, jnp.full_like(reward, -DISCOUNT)


def _tower(weights: Any, latent: Any, action: Any) -> Any:
    column = jax.nn.one_hot(action, latent.shape[2])[:, None, :, None]
    marks = jnp.broadcast_to(column, (*latent.shape[:3], 1))
    planes = _convolution(weights, "dynamics.tower.0", jnp.concatenate([latent, marks], -1))
    for block in BLOCKS:
        hidden = _active(weights, f"{block}.first_norm", planes)
        hidden = _active(
            weights, f"{block}.second_norm", _convolution(weights, f"{block}.first", hidden)
        )
        planes = planes + _convolution(weights, f"{block}.second", hidden)
    return _convolution(weights, "dynamics.tower.5", _active(weights, "dynamics.tower.3", planes))


def _convolution(weights: Any, name: str, planes: Any) -> Any:
    kernel = weights[f"{name}.weight"]
    moved = jax.lax.conv_general_dilated(planes, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT)
    return moved + weights[f"{name}.bias"]


def _active(weights: Any, name: str, planes: Any) -> Any:
    """ReLU of the layer norm of a row, which equals torch's GroupNorm with one group."""
    centred = planes - planes.mean((1, 2, 3), keepdims=True)
    variance = jnp.square(centred).mean((1, 2, 3), keepdims=True)
    scaled = centred * jax.lax.rsqrt(variance + 1e-5)
    return jax.nn.relu(scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"])


def _pool(cells: Any) -> Any:
    """[B, H, W, C] -> [B, 2 C] Concatenate mean and maximum over the cells."""
    return jnp.concatenate([cells.mean((1, 2)), cells.max((1, 2))], -1)
