"""Numba kernels over a batch of trees in flat arrays.

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

NORMALISE_NONE, NORMALISE_MIN_MAX, NORMALISE_BOUNDS = 0, 1, 2
UNVISITED_ZERO, UNVISITED_PARENT = 0, 1


class Trees(NamedTuple):
    """B trees. Children of no prior (illegal ones) have prior -1."""

    prior: Floats  # [B, N+1, W] of actions, or probabilities of outcomes at a chance node
    visits: Ints  # [B, N+1, W]
    q: Floats  # [B, N+1, W] mean of reward + discount * what came back
    reward: Floats  # [B, N+1, W]
    discount: Floats  # [B, N+1, W]
    child: Ints  # [B, N+1, W]
    node_visits: Ints  # [B, N+1]
    node_value: Floats  # [B, N+1] mean of what came back to the node, its own value included
    at_chance: NDArray[np.bool_]  # [B, N+1]
    low: Floats  # [B] smallest q of the tree
    high: Floats  # [B] largest q of the tree
    depth: Ints  # [B] of the deepest node
    path_node: Ints  # [B, N+1] of the simulation under way
    path_child: Ints  # [B, N+1]
    path_length: Ints  # [B]


class Rules(NamedTuple):
    """What the literature does in several ways, as numbers that the kernels read."""

    c1: float
    c2: float
    normalise: int
    unvisited: int
    low: float
    high: float


def plant(batch: int, nodes: int, width: int) -> Trees:
    """Empty trees."""
    edges, per_node = (batch, nodes, width), (batch, nodes)
    return Trees(
        prior=np.full(edges, -1.0),
        visits=np.zeros(edges, np.int32),
        q=np.zeros(edges),
        reward=np.zeros(edges),
        discount=np.zeros(edges),
        child=np.full(edges, UNEXPANDED, np.int32),
        node_visits=np.zeros(per_node, np.int32),
        node_value=np.zeros(per_node),
        at_chance=np.zeros(per_node, np.bool_),
        low=np.full(batch, np.inf),
        high=np.full(batch, -np.inf),
        depth=np.zeros(batch, np.int32),
        path_node=np.zeros(per_node, np.int32),
        path_child=np.zeros(per_node, np.int32),
        path_length=np.zeros(batch, np.int32),
    )


@njit(cache=True, inline="always")
def _scaled(q: float, low: float, high: float, rules: Any) -> float:
    """MuZero eq. 5: (q - min) / (max - min) over the tree, or over known bounds, or q itself."""
    if rules.normalise == NORMALISE_NONE:
        return q
    if rules.normalise == NORMALISE_BOUNDS:
        low, high = rules.low, rules.high
    if high <= low:
        return 0.0
    return (q - low) / (high - low)


@njit(cache=True)
def _choose_action(trees: Any, b: int, node: int, rules: Any) -> int:
    """argmax_a Q + P sqrt(N) / (1 + n_a) (c1 + log((N + c2 + 1) / c2)) (MuZero, eq. 2).

    N counts the node's own evaluation, so that the prior decides the first descent too.
    """
    total = trees.node_visits[b, node]
    scale = np.sqrt(total) * (rules.c1 + np.log((total + rules.c2 + 1.0) / rules.c2))
    unvisited = 0.0
    if rules.unvisited == UNVISITED_PARENT:
        unvisited = _scaled(trees.node_value[b, node], trees.low[b], trees.high[b], rules)
    best, best_score = 0, -np.inf
    for a in range(trees.prior.shape[2]):
        prior = trees.prior[b, node, a]
        if prior < 0.0:
            continue
        n = trees.visits[b, node, a]
        value = unvisited
        if n > 0:
            value = _scaled(trees.q[b, node, a], trees.low[b], trees.high[b], rules)
        score = value + prior * scale / (1.0 + n)
        if score > best_score:
            best, best_score = a, score
    return best


@njit(cache=True)
def _choose_outcome(trees: Any, b: int, node: int) -> int:
    """argmax_c sigma(c) / (n_c + 1): visits follow the probabilities (Stochastic MuZero)."""
    best, best_score = 0, -np.inf
    for c in range(trees.prior.shape[2]):
        if trees.prior[b, node, c] < 0.0:
            continue
        score = trees.prior[b, node, c] / (trees.visits[b, node, c] + 1.0)
        if score > best_score:
            best, best_score = c, score
    return best


@njit(cache=True)
def select(trees: Any, rules: Any, parent: Any, action: Any) -> None:
    """Descend each tree to an edge to expand, or to a known end; write where it starts.

    parent [B], action [B] int64: what the model is to step.
    """
    for b in range(parent.shape[0]):
        node, length = 0, 0
        while True:
            if trees.at_chance[b, node]:
                choice = _choose_outcome(trees, b, node)
            else:
                choice = _choose_action(trees, b, node, rules)
            trees.path_node[b, length] = node
            trees.path_child[b, length] = choice
            length += 1
            below = trees.child[b, node, choice]
            if below == UNEXPANDED or trees.discount[b, node, choice] == 0.0:
                break
            node = below
        parent[b], action[b] = node, choice
        trees.path_length[b] = length
        trees.depth[b] = max(trees.depth[b], length)


@njit(cache=True)
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
