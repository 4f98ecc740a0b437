"""The records that the compiled kernels work on: a batch of trees, and the rules of a search.

A tree has N+1 nodes of W children. The node expanded by simulation i has index i; the root is 0.
Both players share one tree: an edge's discount is negative where the player changes, so a child's
value is always seen from its own mover and Q(s, a) = r + discount * V(child) from the parent's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from workbench.planning.tree.registers import TILE, TURNED

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Indices = NDArray[np.uint32]

EDGES = np.dtype(
    [
        (name, np.float64, (TURNED,))
        for name in (
            "prior",  # of an action, or probability of an outcome; 0: not to be chosen
            "q",  # mean of reward + discount * what came back; 0 while unvisited
            "visits",
            "share",  # prior / (1 + visits), for PUCT; -inf: not to be chosen
        )
    ]
)
"""Four edges of a node, each of their numbers side by side: two lines of the processor's cache."""

NODE = np.dtype(
    [
        ("total", np.float64),  # of what came back to the node, its own value included
        ("visits", np.float64),  # its own evaluation included
        ("raw_value", np.float64),  # what the model says of the node itself
        ("mass", np.float64),  # of the priors of its visited edges
        ("weighed", np.float64),  # sum of prior * q over them
        ("untried", np.float64),  # edges that may be chosen and have no visit
        ("reward", np.float64),  # of the edge that leads here
        ("discount", np.float64),  # of the same; 0 at a root
    ],
    align=True,
)
"""A line of the processor's cache. Beside each other the numbers of nodes lie in this order too."""

STEP = np.dtype([("place", np.uint32), ("choice", np.uint32)], align=True)

BESIDE = np.dtype(
    [
        (name, np.float64, (TILE,))
        for name in (
            "prior",
            "q",
            "visits",
            "worth",  # at a root noise + log prior; else how much of the improved policy it has
        )
    ]
)
"""One move of so many nodes, each in a lane of its own."""
NODES_BESIDE = np.dtype(
    [
        (name, np.float64, (TILE,))
        for name in (
            *(NODE.names or ()),
            "choice",
            "turn",  # by Gumbel, visits of a root's move whose turn it is
            # By PUCT, of all of a tree:
            "weight",  # that q is multiplied by: 1, or 0 where it cannot be scaled yet
            "span",  # that q would be divided by
            "least",  # the q that counts as 0
        )
    ]
)
"""What is the same for all moves of so many nodes, each in a lane of its own."""


class Trees(NamedTuple):
    """B trees; what is asked of a node together lies together. Only what was reached is set.

    Node i of tree b has place b (N+1) + i among the nodes of all. The moves of a node are filled up
    to groups of TURNED with such as are not to be chosen.
    """

    nodes: NDArray[np.void]  # [B (N+1)] NODE
    edges: NDArray[np.void]  # [B (N+1), W / TURNED] EDGES
    children: Indices  # [B (N+1), W] places that moves lead to; 0 while unvisited
    at_chance: NDArray[np.bool_]  # [B (N+1)]
    low: Floats  # [B] smallest q of the tree
    high: Floats  # [B] largest q of the tree
    depth: Ints  # [B] of the deepest node
    path: NDArray[np.void]  # [N+1, B] STEP of the last simulation
    path_length: Indices  # [B]
    places: NDArray[np.uint64]  # [TILE] where they are
    roots: NDArray[np.void]  # [B / TILE, W or more] BESIDE of the roots
    moves: NDArray[np.void]  # [W or more] BESIDE, while other nodes are looked at side by side
    told: NDArray[np.void]  # [1] NODES_BESIDE


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
    groups = -(-width // TURNED)
    held = groups * TURNED
    return Trees(
        nodes=room_for(batch * nodes, NODE),
        edges=room_for((batch * nodes, groups), EDGES),
        children=room_for((batch * nodes, width), np.uint32),
        at_chance=room_for(batch * nodes, np.bool_),
        low=room_for(batch),
        high=room_for(batch),
        depth=room_for(batch, np.int32),
        path=room_for((nodes, batch), STEP),
        path_length=room_for(batch, np.uint32),
        places=np.zeros(TILE, np.uint64),
        roots=room_for((-(-batch // TILE), held), BESIDE),
        moves=room_for(held, BESIDE),
        told=room_for(1, NODES_BESIDE),
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
    """What the kernels read of a Gumbel search."""

    root: Floats  # [B, A] Gumbel noise + log prior of the root's moves, illegal ones unmasked
    considered: Ints  # [m+1, N] by entrants and simulation, the visits of the move whose turn it is
    entrants: Ints  # [B] moves that enter the halving; written as the search begins
    c_visit: float
    c_scale: float
    span: float  # that Q is divided by; 0 for the range of the node's own completed Q
