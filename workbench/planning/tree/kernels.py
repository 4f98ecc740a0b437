"""A batch of trees in flat arrays: how one begins, and how it grows by a node.

A tree has N+1 nodes of W children. The node expanded by simulation i has index i; the root is 0.
Both players share one tree: an edge's discount is negative where the player changes, so a child's
value is always seen from its own mover and Q(s, a) = r + discount * V(child) from the parent's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

UNEXPANDED = -1


class Trees(NamedTuple):
    """B trees. Children of no prior (illegal ones) have prior -1."""

    prior: Floats  # [B, N+1, W] of actions, or probabilities of outcomes at a chance node
    visits: Ints  # [B, N+1, W]
    q: Floats  # [B, N+1, W] mean of reward + discount * what came back
    reward: Floats  # [B, N+1, W]
    discount: Floats  # [B, N+1, W]
    child: Ints  # [B, N+1, W]
    node_visits: Ints  # [B, N+1]
    raw_value: Floats  # [B, N+1] what the model says of the node itself
    node_value: Floats  # [B, N+1] mean of what came back to the node, its own value included
    at_chance: NDArray[np.bool_]  # [B, N+1]
    low: Floats  # [B] smallest q of the tree
    high: Floats  # [B] largest q of the tree
    depth: Ints  # [B] of the deepest node
    path_node: Ints  # [B, N+1] of the simulation under way
    path_child: Ints  # [B, N+1]
    path_length: Ints  # [B]


def plant(batch: int, nodes: int, width: int) -> Trees:
    """Room for trees, to be cleared before use."""
    edges, per_node = (batch, nodes, width), (batch, nodes)
    return Trees(
        prior=np.empty(edges),
        visits=np.empty(edges, np.int32),
        q=np.empty(edges),
        reward=np.empty(edges),
        discount=np.empty(edges),
        child=np.empty(edges, np.int32),
        node_visits=np.empty(per_node, np.int32),
        raw_value=np.empty(per_node),
        node_value=np.empty(per_node),
        at_chance=np.empty(per_node, np.bool_),
        low=np.empty(batch),
        high=np.empty(batch),
        depth=np.empty(batch, np.int32),
        path_node=np.empty(per_node, np.int32),
        path_child=np.empty(per_node, np.int32),
        path_length=np.empty(batch, np.int32),
    )


@njit(cache=True, error_model="numpy")
def clear(trees: Any, prior: Any, value: Any, at_chance: Any) -> None:
    """Begin trees of one node: prior [B, W'], value [B], at_chance [B] of the roots."""
    trees.prior[:] = -1.0
    trees.prior[:, 0, : prior.shape[1]] = prior
    trees.visits[:] = 0
    trees.q[:] = 0.0
    trees.child[:] = UNEXPANDED
    trees.node_visits[:, 0] = 1
    trees.raw_value[:, 0] = value
    trees.node_value[:, 0] = value
    trees.at_chance[:, 0] = at_chance
    trees.low[:] = np.inf
    trees.high[:] = -np.inf
    trees.depth[:] = 0


@njit(cache=True, error_model="numpy")
def expand(
    trees: Any, index: int, reward: Any, discount: Any, prior: Any, value: Any, at_chance: Any
) -> None:
    """Attach what the model gave as node `index` of each tree, and send its value up the path.

    reward, discount, value [B]; prior [B, W]; at_chance [B].
    """
    for b in range(reward.shape[0]):
        last = trees.path_length[b] - 1
        node, choice = trees.path_node[b, last], trees.path_child[b, last]
        back = 0.0  # beyond a known end nothing comes back
        if trees.child[b, node, choice] == UNEXPANDED:
            trees.child[b, node, choice] = index
            trees.reward[b, node, choice] = reward[b]
            trees.discount[b, node, choice] = discount[b]
            trees.prior[b, index, : prior.shape[1]] = prior[b]
            trees.at_chance[b, index] = at_chance[b]
            trees.node_visits[b, index] = 1
            trees.raw_value[b, index] = value[b]
            trees.node_value[b, index] = value[b]
            back = value[b]
        for i in range(last, -1, -1):
            node, choice = trees.path_node[b, i], trees.path_child[b, i]
            back = trees.reward[b, node, choice] + trees.discount[b, node, choice] * back
            trees.visits[b, node, choice] += 1
            trees.q[b, node, choice] += (back - trees.q[b, node, choice]) / trees.visits[
                b, node, choice
            ]
            trees.node_visits[b, node] += 1
            trees.node_value[b, node] += (back - trees.node_value[b, node]) / trees.node_visits[
                b, node
            ]
            trees.low[b] = min(trees.low[b], trees.q[b, node, choice])
            trees.high[b] = max(trees.high[b], trees.q[b, node, choice])
