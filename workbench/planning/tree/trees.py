"""The records that the compiled kernels work on: a batch of trees, and the rules of a search.

A tree has N+1 nodes of W children. The node expanded by simulation i has index i; the root is 0.
Both players share one tree: an edge's discount is negative where the player changes, so a child's
value is always seen from its own mover and Q(s, a) = r + discount * V(child) from the parent's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

LANES = 4
"""float64 in a vector register: a node has room for whole ones, so that loops have no rest."""


class Trees(NamedTuple):
    """B trees. Children of no prior (illegal ones) have prior -1. Only what was reached is set."""

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
    choice: Ints  # [B, N+1] of the next descent, where it depends on the node alone
    score: Floats  # [B, W] of the moves of the node that is looked at
    low: Floats  # [B] smallest q of the tree
    high: Floats  # [B] largest q of the tree
    depth: Ints  # [B] of the deepest node
    path_node: Ints  # [B, N+1] of the simulation under way
    path_child: Ints  # [B, N+1]
    path_length: Ints  # [B]


def plant(batch: int, nodes: int, width: int) -> Trees:
    """Room for trees, to be cleared before use."""
    width = -(-width // LANES) * LANES
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
        choice=np.empty(per_node, np.int32),
        score=np.empty((batch, width)),
        low=np.empty(batch),
        high=np.empty(batch),
        depth=np.empty(batch, np.int32),
        path_node=np.empty(per_node, np.int32),
        path_child=np.empty(per_node, np.int32),
        path_length=np.empty(batch, np.int32),
    )


class Leaves(NamedTuple):
    """What a model says of the nodes that are to be attached, one for each of some trees."""

    reward: NDArray[np.float32]  # [rows]
    discount: NDArray[np.float32]  # [rows]
    prior: Floats  # [rows, W or less]
    value: NDArray[np.float32]  # [rows]
    at_chance: NDArray[np.bool_]  # [rows]


class PUCTRules(NamedTuple):
    """What the literature does in several ways, as numbers that the kernels read."""

    exploration: Floats  # [N+2] the factor of a node's prior by its visits
    normalise: int
    unvisited: int
    low: float
    high: float


class GumbelRules(NamedTuple):
    """What the kernels read of a Gumbel search; illegal moves have any `root`."""

    root: Floats  # [B, W] Gumbel noise + log prior of the root's moves
    considered: Ints  # [m+1, N] by entrants and simulation, the visits of the move whose turn it is
    entrants: Ints  # [B] moves that enter the halving
    c_visit: float
    c_scale: float
    span: float  # that Q is divided by; 0 for the range of the node's own completed Q
