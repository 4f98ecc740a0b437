"""mctx: the same model in jax, with the whole search compiled."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import mctx
import numpy as np

from benchmarks.peers.exchange import SIMULATIONS, Arrays, Case, Searcher
from benchmarks.peers.in_jax import mlp, residual

POLICIES = {
    "puct": partial(mctx.muzero_policy, dirichlet_fraction=0.0),
    "gumbel": partial(mctx.gumbel_muzero_policy, gumbel_scale=0.0),
}
"""mctx's default settings, except for the noise."""

MODELS: dict[str, Any] = {"mlp": mlp, "residual": residual}


def prepare(arrays: Arrays, case: Case) -> Searcher:
    """Prepare the searcher of a case."""
    model, policy = MODELS[case.model], POLICIES[case.planner]
    weights, roots = model.load(arrays)
    roots = roots[: case.batch]

    def recurrent(weights: Any, key: Any, action: Any, latent: Any) -> tuple[Any, Any]:
        then, reward, discount = model.step(weights, latent, action)
        logits, value = model.predict(weights, then)
        output = mctx.RecurrentFnOutput(
            reward=reward, discount=discount, prior_logits=logits, value=value
        )
        return output, then

    def search(weights: Any, latent: Any, key: Any) -> Any:
        logits, value = model.predict(weights, latent)
        root = mctx.RootFnOutput(prior_logits=logits, value=value, embedding=latent)
        return policy(weights, key, root, recurrent, num_simulations=SIMULATIONS).search_tree

    compiled = jax.jit(search)

    def run() -> Any:
        return jax.block_until_ready(compiled(weights, roots, jax.random.PRNGKey(0)))

    return Searcher(run, _depth)


def _depth(tree: Any) -> float:
    parents = np.asarray(tree.parents)  # [B, N+1]
    depths = np.zeros_like(parents)
    for node in range(1, parents.shape[1]):
        above = depths[np.arange(len(parents)), parents[:, node]] + 1
        depths[:, node] = np.where(parents[:, node] >= 0, above, 0)
    return float(depths.max(1).mean())
