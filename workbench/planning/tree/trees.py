"""The records that the compiled kernels work on: a batch of trees, and the rules of a search.

A tree has N+1 nodes of W children. The node expanded by simulation i has index i; the root is 0.
By Gumbel the TOGETHER likeliest moves of a node stand first, in the order of their priors, of equal
ones in the model's; but for roots, where noise and turns say what is tried. What was not tried at a
node differs in nothing but its prior, so that it is tried in this order too: what was tried stands
first, and of the others only the first can be next. Where more were tried, all moves are looked at.
By PUCT, which has less to compute for a move, sorting does not pay.

Both players share one tree: an edge's discount is negative where the player changes, so a child's
value is always seen from its own mover and Q(s, a) = r + discount * V(child) from the parent's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from workbench.planning.tree.simd import TILE, TOGETHER

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Indices = NDArray[np.uint32]

EDGES = np.dtype(
    [
        # Mean of reward + discount * what came back. Before anything did, by Gumbel how much prior
        # there is from this move on, in shares of its own.
        ("q", np.float64, (TOGETHER,)),
        ("prior", np.float32, (TOGETHER,)),  # by Gumbel its log; -inf: not to be chosen
        ("visits", np.float32, (TOGETHER,)),
    ]
)
"""Four edges of a node, each of their numbers side by side: a line of the processor's cache."""

NODE = np.dtype(
    [
        ("end", np.uint64),  # the edge at which a descent by Gumbel from here on ends
        ("raw_value", np.float32),  # what the model says of the node itself
        ("reward", np.float32),  # of the edge that leads here
        ("discount", np.float32),  # of the same; 0 at a root
        ("parent", np.uint32),  # the place that it leads from
        ("depth", np.uint32),  # 0 of a root
        ("choice", np.uint16),  # by which of its moves or outcomes, as they stand there
        ("at_chance", np.bool_),
    ],
    align=True,
)
"""Half a line. An edge is the place it leads from, in the upper half of a word, and a choice."""

RETURNS = np.dtype([("total", np.float64), ("visits", np.float64)])
"""What came back to a node, its own evaluation included; by Gumbel they are kept of roots only."""

BESIDE = np.dtype(
    [
        ("q", np.float64, (TILE,)),
        ("prior", np.float32, (TILE,)),
        ("visits", np.float32, (TILE,)),
        ("score", np.float32, (TILE,)),  # at a root: noise + log prior
        ("gap", np.float32, (TILE,)),  # of q, from one that the node has
        ("worth", np.float32, (TILE,)),  # how much of the improved policy it has
    ]
)
"""One move of so many nodes, each in a lane of its own."""

TOLD = np.dtype(
    [
        # By Gumbel, of all moves of a node
        ("missing", np.float32, (TILE,)),  # the gap of the completed q of moves without visits
        ("slope", np.float32, (TILE,)),  # of sigma
        ("offset", np.float32, (TILE,)),
        ("visits", np.float32, (TILE,)),
        ("choice", np.float32, (TILE,)),
        ("turn", np.float32, (TILE,)),  # visits of a root's move whose turn it is
        # By PUCT, of all of a tree
        ("weight", np.float64, (TILE,)),  # that q is multiplied by: 0 where it cannot be scaled yet
        ("span", np.float64, (TILE,)),  # that q would be divided by
        ("least", np.float64, (TILE,)),  # the q that counts as 0
    ]
)
"""What is the same for all moves of so many nodes, each in a lane of its own."""


class Trees(NamedTuple):
    """B trees; what is asked of a node together lies together. Only what was reached is set.

    Node i of tree b has place i B + b among the nodes of all: those of one simulation lie together,
    and tree b begins at place b. The moves of a node are filled up to groups of TOGETHER with such
    as are not to be chosen.
    """

    nodes: NDArray[np.void]  # [(N+1) B] NODE
    returns: NDArray[np.void]  # [(N+1) B] RETURNS
    edges: NDArray[np.void]  # [(N+1) B, W / TOGETHER] EDGES
    width: Indices  # [1] W
    order: NDArray[np.uint16]  # [(N+1) B, W filled up] by Gumbel the moves that stand there
    children: Indices  # [(N+1) B, W filled up] places that they lead to; 0 while unvisited
    low: Floats  # [B] smallest q of the tree
    high: Floats  # [B] largest q of the tree
    depth: Ints  # [B] of the deepest node
    parent: NDArray[np.int64]  # [B] the places that the last simulation led to
    choice: Indices  # [B] by Gumbel, and by which of their edges
    action: NDArray[np.int64]  # [B] and the moves by which their next are to be imagined
    places: NDArray[np.uint64]  # [TILE] where trees are
    changed: NDArray[np.uint64]  # [TILE N] nodes that something came back to, but for roots
    raw_values: NDArray[np.float32]  # [TILE N] theirs
    recent: Floats  # [TILE N] the q that changed there
    latest: Floats  # [B] the same of roots
    entrants: Ints  # [B] by Gumbel the moves that enter the halving at a root
    roots: NDArray[np.void]  # [B / TILE, W filled up] BESIDE of the roots
    moves: NDArray[np.void]  # [2, W filled up] BESIDE, while other nodes are looked at side by side
    told: NDArray[np.void]  # [2] TOLD, likewise
    reach: Indices  # [2] the moves that were tried at any of them, and one more


def place_of(kind: np.dtype[np.void], name: str) -> int:
    """The byte of a record at which a field begins."""
    fields = kind.fields
    assert fields is not None
    return fields[name][1]


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
    groups = -(-width // TOGETHER)
    held, many = groups * TOGETHER, (nodes + 1) * TILE
    return Trees(
        nodes=room_for(batch * nodes, NODE),
        returns=room_for(batch * nodes, RETURNS),
        edges=room_for((batch * nodes, groups), EDGES),
        width=np.array([width], np.uint32),
        order=room_for((batch * nodes, held), np.uint16),
        children=room_for((batch * nodes, held), np.uint32),
        low=room_for(batch),
        high=room_for(batch),
        depth=room_for(batch, np.int32),
        parent=np.zeros(batch, np.int64),
        choice=np.zeros(batch, np.uint32),
        action=np.zeros(batch, np.int64),
        places=np.zeros(TILE, np.uint64),
        changed=np.zeros(many, np.uint64),
        raw_values=room_for(many, np.float32),
        recent=room_for(many),
        latest=room_for(batch),
        entrants=room_for(batch, np.int32),
        roots=room_for((-(-batch // TILE), held), BESIDE),
        moves=room_for((2, held), BESIDE),
        told=room_for(2, TOLD),
        reach=np.zeros(2, np.uint32),
    )


class Leaves(NamedTuple):
    """What a model says of the nodes that are to be attached, one for each of some trees.

    Of a move all trees' numbers lie side by side, in whole tiles.
    """

    reward: NDArray[np.float32]  # [rows]
    discount: NDArray[np.float32]  # [rows]
    prior: NDArray[np.float32]  # [rows, W filled up], as `EDGES` has it; outcomes as they are
    order: Indices  # [rows, W filled up] which moves these are
    rest: NDArray[np.float32]  # [rows, W filled up] `EDGES.q` of what was not tried yet
    value: NDArray[np.float32]  # [rows]
    at_chance: NDArray[np.bool_]  # [rows]


def leaves_of(rows: int, width: int) -> Leaves:
    """Room for them; no move may be chosen but those whose priors are written."""
    groups, tiles = -(-width // TOGETHER), -(-rows // TILE)
    shape = groups * TOGETHER, tiles * TILE
    prior, order, rest = (room_for(shape, kind) for kind in (np.float32, np.uint32, np.float32))
    prior[:], order[:], rest[:] = -np.inf, np.arange(shape[0], dtype=np.uint32)[:, None], 0.0
    return Leaves(
        reward=room_for(rows, np.float32),
        discount=room_for(rows, np.float32),
        prior=prior.T,
        order=order.T,
        rest=rest.T,
        value=room_for(rows, np.float32),
        at_chance=np.zeros(rows, np.bool_),
    )


class PUCTRules(NamedTuple):
    """What the literature does in several ways, as numbers that the kernels read."""

    exploration: Floats  # [N+2] the factor of a node's prior by its visits
    normalise: int
    unvisited: int
    low: float
    high: float
    fraction: float  # of the noise in a root's prior
    noise: Floats  # [B, A] a root's noise, -1 where there is none; [0, 0] of a search without


FAR = 40.0
"""So far below 0 all logits of an improved policy may lie; their exponentials reach to -87."""


class GumbelRules(NamedTuple):
    """What the kernels read of a Gumbel search."""

    noise: Floats  # [B, A] of a root's moves; [0, 0] of a search without
    considered: Ints  # [m+1, N] by entrants and simulation, the visits of the move whose turn it is
    c_visit: float
    c_scale: float
    span: float  # that Q is divided by; 0 for the range of the node's own completed Q
    apart: bool  # whether the logits of pi' can all be farther than FAR below 0
    improved: bool  # whether the plan's policy is pi' and not the share of visits


class Found(NamedTuple):
    """What searches come to, by root."""

    policy: NDArray[np.float32]  # [B, A]
    value: NDArray[np.float32]  # [B]
    q: NDArray[np.float32]  # [B, A]
    visits: Ints  # [B, A]
    action: NDArray[np.int64]  # [B] by Gumbel the move
    depth: Ints  # [B] of the deepest node
