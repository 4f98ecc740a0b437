"""Records of the compiled kernels: a batch of trees, and the rules of a search.

A tree has N+1 nodes with W children each. The root is node 0, and simulation i adds node i.

In a Gumbel search the EDGES_PER_GROUP actions with the largest prior are stored first, in
decreasing order (ties keep the model's order). Unvisited actions differ only in their prior, so
they are expanded in that order and only the first unvisited one can be next. Roots are exempt:
there Gumbel noise and sequential halving choose. If more actions were visited, all are scanned.
PUCT does not sort: its score is cheap.

Both players share one tree. The discount of an edge is negative if the player changes, so the value
of a child is seen from its own player to move, and Q(s, a) = r + discount * V(child) from the
parent's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from workbench.planning.tree.simd import EDGES_PER_GROUP, TREES_PER_TILE

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Indices = NDArray[np.uint32]

EDGE_GROUP = np.dtype(
    [
        # Mean of reward + discount * backed-up value. Before the first visit of a Gumbel search:
        # the prior mass from this action on, in units of its own prior.
        ("q", np.float64, (EDGES_PER_GROUP,)),
        (
            "prior",
            np.float32,
            (EDGES_PER_GROUP,),
        ),  # log prior in a Gumbel search; -inf: not to be chosen
        ("visits", np.float32, (EDGES_PER_GROUP,)),
    ]
)
"""Four edges of a node, field by field: one cache line."""

NODE = np.dtype(
    [
        ("end", np.uint64),  # the edge at which a Gumbel descent from this node ends
        ("raw_value", np.float32),  # the model's value of the node
        ("reward", np.float32),  # of the edge that leads to the node
        ("discount", np.float32),  # of the same edge; 0 at a root
        ("parent", np.uint32),  # place of the parent
        ("depth", np.uint32),  # 0 at a root
        ("choice", np.uint16),  # index of the edge in the parent, in stored order
        ("at_chance", np.bool_),
    ],
    align=True,
)
"""A node: half a cache line.

An edge is encoded as the parent's place (upper 32 bits) and the choice.
"""

RETURNS = np.dtype([("total", np.float64), ("visits", np.float64)])
"""Sum of values backed up to a node, with its own evaluation; a Gumbel search keeps only roots."""

ACTION_LANES = np.dtype(
    [
        ("q", np.float64, (TREES_PER_TILE,)),
        ("prior", np.float32, (TREES_PER_TILE,)),
        ("visits", np.float32, (TREES_PER_TILE,)),
        ("score", np.float32, (TREES_PER_TILE,)),  # at a root: noise + log prior
        ("gap", np.float32, (TREES_PER_TILE,)),  # q minus a reference q of the node
        (
            "mass",
            np.float32,
            (TREES_PER_TILE,),
        ),  # unnormalised probability under the improved policy
    ]
)
"""One action of the nodes of a tile, one lane per node."""

NODE_SCALARS = np.dtype(
    [
        # Gumbel: over all actions of a node
        ("missing", np.float32, (TREES_PER_TILE,)),  # gap of the completed q of unvisited actions
        ("slope", np.float32, (TREES_PER_TILE,)),  # of sigma
        ("offset", np.float32, (TREES_PER_TILE,)),
        ("visits", np.float32, (TREES_PER_TILE,)),
        ("choice", np.float32, (TREES_PER_TILE,)),
        (
            "due_visits",
            np.float32,
            (TREES_PER_TILE,),
        ),  # visit count of the root actions considered now
        # PUCT: over all nodes of a tree
        ("weight", np.float64, (TREES_PER_TILE,)),  # factor of q; 0 while q cannot be scaled
        ("span", np.float64, (TREES_PER_TILE,)),  # divisor of q
        ("least", np.float64, (TREES_PER_TILE,)),  # the q that counts as 0
    ]
)
"""Scalars of the nodes of a tile, one lane per node."""


class Trees(NamedTuple):
    """B trees. Fields that are used together are stored together; only reached nodes are valid.

    Node i of tree b has place i B + b, so the nodes of one simulation are adjacent and tree b
    starts at place b. The actions of a node are padded to groups of EDGES_PER_GROUP by actions that
    cannot be chosen.
    """

    nodes: NDArray[np.void]  # [(N+1) B] NODE
    returns: NDArray[np.void]  # [(N+1) B] RETURNS
    edges: NDArray[np.void]  # [(N+1) B, W / EDGES_PER_GROUP] EDGE_GROUP
    width: Indices  # [1] W
    order: NDArray[np.uint16]  # [(N+1) B, padded W] Gumbel: action of each stored edge
    children: Indices  # [(N+1) B, padded W] places of the children; 0 while unvisited
    low: Floats  # [B] smallest q of the tree
    high: Floats  # [B] largest q of the tree
    depth: Ints  # [B] depth of the deepest node
    parent: NDArray[np.int64]  # [B] places of the nodes selected by the last simulation
    choice: Indices  # [B] Gumbel: selected edges of these nodes
    action: NDArray[np.int64]  # [B] actions of the selected edges
    places: NDArray[np.uint64]  # [TREES_PER_TILE] current places of a descent
    changed: NDArray[np.uint64]  # [TREES_PER_TILE N] updated nodes, without roots
    raw_values: NDArray[np.float32]  # [TREES_PER_TILE N] their raw values
    recent: Floats  # [TREES_PER_TILE N] their updated q
    latest: Floats  # [B] updated q of the roots
    entrants: Ints  # [B] Gumbel: number of root actions that enter the halving
    roots: NDArray[np.void]  # [B / TREES_PER_TILE, padded W] ACTION_LANES of the roots
    moves: NDArray[np.void]  # [2, padded W] ACTION_LANES of other nodes, while they are processed
    scalars: NDArray[np.void]  # [2] NODE_SCALARS of the same nodes
    reach: Indices  # [2] number of leading actions to process there


def field_offset(kind: np.dtype[np.void], name: str) -> int:
    """Return the byte offset of a field in a record."""
    fields = kind.fields
    assert fields is not None
    return fields[name][1]


LINE = 64
"""Size of a cache line in bytes."""


def aligned_empty(shape: tuple[int, ...] | int, kind: DTypeLike = np.float64) -> NDArray[Any]:
    """Return uninitialised memory for an array, aligned to cache lines."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    held = np.empty(size + LINE, np.uint8)
    start = -held.ctypes.data % LINE
    return held[start : start + size].view(kind).reshape(shape)


def allocate_trees(batch: int, nodes: int, width: int) -> Trees:
    """Allocate trees; they must be initialised before use."""
    groups = -(-width // EDGES_PER_GROUP)
    held, many = groups * EDGES_PER_GROUP, (nodes + 1) * TREES_PER_TILE
    return Trees(
        nodes=aligned_empty(batch * nodes, NODE),
        returns=aligned_empty(batch * nodes, RETURNS),
        edges=aligned_empty((batch * nodes, groups), EDGE_GROUP),
        width=np.array([width], np.uint32),
        order=aligned_empty((batch * nodes, held), np.uint16),
        children=aligned_empty((batch * nodes, held), np.uint32),
        low=aligned_empty(batch),
        high=aligned_empty(batch),
        depth=aligned_empty(batch, np.int32),
        parent=np.zeros(batch, np.int64),
        choice=np.zeros(batch, np.uint32),
        action=np.zeros(batch, np.int64),
        places=np.zeros(TREES_PER_TILE, np.uint64),
        changed=np.zeros(many, np.uint64),
        raw_values=aligned_empty(many, np.float32),
        recent=aligned_empty(many),
        latest=aligned_empty(batch),
        entrants=aligned_empty(batch, np.int32),
        roots=aligned_empty((-(-batch // TREES_PER_TILE), held), ACTION_LANES),
        moves=aligned_empty((2, held), ACTION_LANES),
        scalars=aligned_empty(2, NODE_SCALARS),
        reach=np.zeros(2, np.uint32),
    )


class Leaves(NamedTuple):
    """Model predictions at the nodes to expand, one node per tree.

    The numbers of all trees for one action are adjacent, in whole tiles.
    """

    reward: NDArray[np.float32]  # [rows]
    discount: NDArray[np.float32]  # [rows]
    prior: NDArray[
        np.float32
    ]  # [rows, padded W] as in `EDGE_GROUP`; outcome probabilities unchanged
    order: Indices  # [rows, padded W] the actions, in stored order
    rest: NDArray[np.float32]  # [rows, padded W] initial `EDGE_GROUP.q` of unvisited actions
    value: NDArray[np.float32]  # [rows]
    at_chance: NDArray[np.bool_]  # [rows]


def allocate_leaves(rows: int, width: int) -> Leaves:
    """Allocate leaves; only actions whose priors are written can be chosen."""
    groups, tiles = -(-width // EDGES_PER_GROUP), -(-rows // TREES_PER_TILE)
    shape = groups * EDGES_PER_GROUP, tiles * TREES_PER_TILE
    prior, order, rest = (
        aligned_empty(shape, kind) for kind in (np.float32, np.uint32, np.float32)
    )
    prior[:], order[:], rest[:] = -np.inf, np.arange(shape[0], dtype=np.uint32)[:, None], 0.0
    return Leaves(
        reward=aligned_empty(rows, np.float32),
        discount=aligned_empty(rows, np.float32),
        prior=prior.T,
        order=order.T,
        rest=rest.T,
        value=aligned_empty(rows, np.float32),
        at_chance=np.zeros(rows, np.bool_),
    )


class PUCTRules(NamedTuple):
    """Rules of a PUCT search, as numbers that the kernels read."""

    exploration: Floats  # [N+2] factor of the prior by visits of the node
    normalise: int
    unvisited: int
    low: float
    high: float
    fraction: float  # share of noise in a root's prior
    noise: Floats  # [B, A] noise of the roots, -1 for none; [0, 0] for a search without noise


FAR = 40.0
"""Range of logits below 0 within which the exponentials of an improved policy are accurate;

they reach to -87.
"""


class GumbelRules(NamedTuple):
    """Rules of a Gumbel search, as numbers that the kernels read."""

    noise: Floats  # [B, A] noise of the roots; [0, 0] for a search without noise
    considered: Ints  # [m+1, N] by candidates and simulation, visits of the actions considered
    c_visit: float
    c_scale: float
    span: float  # divisor of Q; 0 for the range of the node's own completed Q
    apart: bool  # whether the logits of pi' can all be more than FAR below 0
    improved: bool  # whether the plan's policy is pi' and not the share of visits


class SearchResult(NamedTuple):
    """Results of a batch of searches, by root."""

    policy: NDArray[np.float32]  # [B, A]
    value: NDArray[np.float32]  # [B]
    q: NDArray[np.float32]  # [B, A]
    visits: Ints  # [B, A]
    action: NDArray[np.int64]  # [B] Gumbel: the selected action
    depth: Ints  # [B] depth of the deepest node
