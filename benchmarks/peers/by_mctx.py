"""mctx: the same network in jax, the whole search compiled."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import mctx
import numpy as np

from benchmarks.networks import DISCOUNT
from benchmarks.peers.exchange import ROOTS, SIMULATIONS, Arrays, Case, Searcher

POLICIES = {
    "puct": partial(mctx.muzero_policy, dirichlet_fraction=0.0),
    "gumbel": partial(mctx.gumbel_muzero_policy, gumbel_scale=0.0),
}
"""With mctx's own settings, but for the noise."""


def prepare(arrays: Arrays, case: Case) -> Searcher:
    weights = {name: jnp.asarray(array) for name, array in arrays.items() if name != ROOTS}
    roots = jnp.asarray(arrays[ROOTS][: case.batch])
    policy = POLICIES[case.planner]

    def search(weights: Any, latent: Any, key: Any) -> Any:
        logits, value = predict(weights, latent)
        root = mctx.RootFnOutput(prior_logits=logits, value=value, embedding=latent)
        return policy(weights, key, root, _recurrent, num_simulations=SIMULATIONS).search_tree

    compiled = jax.jit(search)

    def run() -> Any:
        return jax.block_until_ready(compiled(weights, roots, jax.random.PRNGKey(0)))

    return Searcher(run, _depth)


def predict(weights: Any, latent: Any) -> tuple[Any, Any]:
    """Logits [B, A] and value [B]."""
    raw = _perceptron(weights, "prediction.state", latent)
    return raw[:, :-1], raw[:, -1]


def step(weights: Any, latent: Any, action: Any) -> tuple[Any, Any]:
    """The next latent [B, 64], scaled to [0, 1], and the reward [B]."""
    hidden = _linear(weights, "dynamics.latent", latent) + weights["dynamics.action.weight"][action]
    moved = latent + _linear(weights, "dynamics.out", jax.nn.relu(hidden))
    low, high = moved.min(1, keepdims=True), moved.max(1, keepdims=True)
    then = (moved - low) / jnp.maximum(high - low, 1e-5)
    return then, _perceptron(weights, "prediction.transition", then)[:, 0]


def _recurrent(weights: Any, key: Any, action: Any, latent: Any) -> tuple[Any, Any]:
    then, reward = step(weights, latent, action)
    logits, value = predict(weights, then)
    discount = jnp.full_like(reward, DISCOUNT)
    output = mctx.RecurrentFnOutput(
        reward=reward, discount=discount, prior_logits=logits, value=value
    )
    return output, then


def _perceptron(weights: Any, name: str, latent: Any) -> Any:
    hidden = jax.nn.relu(_linear(weights, f"{name}.hidden", latent))
    return _linear(weights, f"{name}.out", hidden)


def _linear(weights: Any, name: str, inputs: Any) -> Any:
    return inputs @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _depth(tree: Any) -> float:
    parents = np.asarray(tree.parents)  # [B, N+1]
    depths = np.zeros_like(parents)
    for node in range(1, parents.shape[1]):
        above = depths[np.arange(len(parents)), parents[:, node]] + 1
        depths[:, node] = np.where(parents[:, node] >= 0, above, 0)
    return float(depths.max(1).mean())
