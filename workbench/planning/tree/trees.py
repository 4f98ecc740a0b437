"""The records that the compiled kernels work on: a batch of trees, and the rules of a search.

A tree has N+1 nodes of W children. The node expanded by simulation i has index i; the root is 0.
Both players share one tree: an edge's discount is negative where the player changes, so a child's
value is always seen from its own mover and Q(s, a) = r + discount * V(child) from the parent's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from workbench.planning.tree.registers import TILE

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Indices = NDArray[np.uint32]

EDGE = np.dtype(
    [
        ("q", np.float64),  # mean of reward + discount * what came back; 0 while unvisited
        ("visits", np.float64),
        ("prior", np.float64),  # of an action, or probability of an outcome; 0: not to be chosen
        ("share", np.float64),  # prior / (1 + visits); -inf: not to be chosen
        ("reward", np.float64),
        ("discount", np.float64),
        ("fresh", np.float64),  # 1 while unvisited, then 0: to multiply by, which takes no branch
        ("child", np.uint32),  # node that it leads to
    ],
    align=True,
)
"""Reward, discount and child are set once the edge is visited."""

NODE = np.dtype(
    [
        ("total", np.float64),  # of what came back to the node, its own value included
        ("raw_value", np.float64),  # what the model says of the node itself
        ("mass", np.float64),  # of the priors of its visited edges
        ("weighed", np.float64),  # sum of prior * q over them
        ("most", np.float64),  # visits of the edge that has most
        ("untried", np.float64),  # edges that may be chosen and have no visit
        ("visits", np.uint32),  # its own evaluation included
        ("choice", np.uint32),  # of the first descent that comes to it
        ("at_chance", np.bool_),
    ],
    align=True,
)
STEP = np.dtype([("node", np.uint32), ("choice", np.uint32)], align=True)
SCALE = np.dtype(
    [
        ("weight", np.float64),  # that q is multiplied by: 1, or 0 where it cannot be scaled yet
        ("span", np.float64),  # that q would be divided by
        ("least", np.float64),  # the q that counts as 0
    ],
    align=True,
)
"""Of q in a whole tree, by PUCT."""

BESIDE = np.dtype(
    [
        (name, np.float64, (TILE,))
        for name in (
            "q",
            "visits",
            "prior",
            "worth",  # at a root noise + log prior; else how much of the improved policy it has
        )
    ]
)
"""One move of so many nodes, each in a lane of its own."""
NODES_BESIDE = np.dtype(
    [
        (name, np.float64, (TILE,))
        for name in ("raw_value", "mass", "weighed", "most", "untried", "visits", "turn", "choice")
    ]
)
"""What is the same for all moves of these nodes."""


class Trees(NamedTuple):
    """B trees; what is asked of an edge together lies together. Only what was reached is set."""

    edges: NDArray[np.void]  # [B, N+1, W] EDGE
    nodes: NDArray[np.void]  # [B, N+1] NODE
    low: Floats  # [B] smallest q of the tree
    high: Floats  # [B] largest q of the tree
    scale: NDArray[np.void]  # [B] SCALE of the next descent
    depth: Ints  # [B] of the deepest node
    under_way: Indices  # [B] trees that are still descending
    stale: Indices  # [B] those of them that stand where the choice is to be renewed
    path: NDArray[np.void]  # [B, N+1] STEP of the last simulation
    path_length: Indices  # [B]
    roots: NDArray[np.void]  # [B / TILE, W] BESIDE of the roots
    moves: NDArray[np.void]  # [W] BESIDE, while other nodes are looked at side by side
    beside: NDArray[np.void]  # [1] NODES_BESIDE


LINE = 64
"""Bytes that a processor's cache moves at a time."""


def room_for(shape: tuple[int, ...] | int, kind: DTypeLike = np.float64) -> NDArray[Any]:
    """Memory for an array, from the beginning of a line on: no record of 64 bytes lies in two."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    held = np.empty(size + LINE, np.uint8)
    start = -held.ctypes.data % LINE
    return held[start : start + size].view(kind).reshape(shape)


def plant(batch: int, nodes: int, width: int) -> Trees:
    """Room for trees, to be cleared before use."""
    return Trees(
        edges=room_for((batch, nodes, width), EDGE),
        nodes=room_for((batch, nodes), NODE),
        low=room_for(batch),
        high=room_for(batch),
        scale=room_for(batch, SCALE),
        depth=room_for(batch, np.int32),
        under_way=room_for(batch, np.uint32),
        stale=room_for(batch, np.uint32),
        path=room_for((batch, nodes), STEP),
        path_length=room_for(batch, np.uint32),
        roots=room_for((-(-batch // TILE), width), BESIDE),
        moves=room_for(width, BESIDE),
        beside=room_for(1, NODES_BESIDE),
    )


class Leaves(NamedTuple):
    """What a model says of the nodes that are to be attached, one for each of some trees."""

    reward: NDArray[np.float32]  # [rows]
    discount: NDArray[np.float32]  # [rows]
    prior: Floats  # [rows, W or less]
    likeliest: Floats  # [rows] the move of the greatest prior
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
    """What the kernels read of a Gumbel search."""

    root: Floats  # [B, A] Gumbel noise + log prior of the root's moves, illegal ones unmasked
    considered: Ints  # [m+1, N] by entrants and simulation, the visits of the move whose turn it is
    entrants: Ints  # [B] moves that enter the halving; written as the search begins
    c_visit: float
    c_scale: float
    span: float  # that Q is divided by; 0 for the range of the node's own completed Q
