"""Compiled kernels of the tree search: selection, expansion, backup, and small networks.

The kernels share this file, except for `simd.py`, because numba's cache notices changes in a
kernel's own file only, not in the files of kernels that it calls. Rows of a batch are independent,
so that threads can split a batch and a row's result does not depend on the batch.

Numba emits a wrap-around check for every signed index, so hot indices are unsigned. They are
uint32, because numba promotes uint64 with a signed integer to float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

from workbench.planning.tree.simd import (
    EDGES_PER_GROUP,
    PANEL,
    TREES_PER_TILE,
    any_above,
    block_product,
    equals,
    exponential,
    fma,
    if_equal,
    if_greater,
    load,
    load_few,
    lowest_bit,
    max_of_four,
    store,
    to_float32,
    to_float64,
    to_uint32,
    transpose_records,
)
from workbench.planning.tree.trees import ACTION_LANES, EDGE_GROUP, field_offset

SIMD_DIGEST = "3a8b4480915483d6"
"""Digest of `simd.py`. Updating it changes this file too, which invalidates numba's cache."""

NORMALISE_NONE, NORMALISE_MIN_MAX, NORMALISE_BOUNDS = 0, 1, 2
UNVISITED_ZERO, UNVISITED_PARENT = 0, 1

PRODUCT, MIN_MAX, LAYER_NORM, L2 = 0, 1, 2, 3
PLAIN, H, SYMLOG = 0, 1, 2
FINITE, NO_PLAN, NO_ROOT = 0, 1, 2  # which result is not finite

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(**options: Any) -> Callable[[_Function], _Function]:
    """Return numba's decorator without atomic reference counts of the arrays.

    The counts took a third of a search. A kernel compiled in this way cannot allocate arrays.
    """
    settings = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
    decorator: Callable[[_Function], _Function] = cast(Any, njit)(**settings, **options)
    return decorator


_kernel = _compiled()
# Called kernels copy the record of all trees, field by field, which takes up to a tenth of a
# descent. Inlined kernels do not.
_inlined = _compiled(inline="always")
_contracted = _compiled(fastmath={"contract"})
_reordered = _compiled(fastmath={"contract", "reassoc"})
_unordered = _compiled(fastmath={"nnan", "nsz"})

_f = np.float32
_ZERO, _ONE, _LEAST = _f(0.0), _f(1.0), _f(-np.inf)
_LOG2E, _LN2_HIGH, _LN2_LOW = _f(1.44269504088896341), _f(0.693359375), _f(-2.12194440e-4)
_E1, _E2, _E3 = _f(1.9875691500e-4), _f(1.3981999507e-3), _f(8.3334519073e-3)
_E4, _E5, _E6 = _f(4.1665795894e-2), _f(1.6666665459e-1), _f(5.0000001201e-1)
_NONE, _FIRST = np.uint64(0), np.uint64(1)  # sets of lanes, as bits
_SHIFT = _f(12582912.0)  # 1.5 * 2^23: adding it rounds to an integer
_LOWEST, _HIGHEST = _f(-87.0), _f(88.0)


@_contracted
def _exp_single(x: Any) -> Any:
    """Compute e^x in single precision in a vectorisable form (Moshier's Cephes, expf)."""
    if x < _LOWEST:
        x = _LOWEST
    if x > _HIGHEST:
        x = _HIGHEST
    shifted = x * _LOG2E + _SHIFT
    n = shifted - _SHIFT
    f = x - n * _LN2_HIGH - n * _LN2_LOW
    series = ((((_E1 * f + _E2) * f + _E3) * f + _E4) * f + _E5) * f + _E6
    bits = (_f(shifted).view(np.int32) + np.int32(127)) << np.int32(23)
    power = np.int32(bits).view(np.float32)
    return (series * f * f + f + _ONE) * power


# The transposition reads prior and visits of an edge group as one run of float32.
_transpose_edges = transpose_records(
    EDGE_GROUP.itemsize,
    field_offset(EDGE_GROUP, "q"),
    field_offset(EDGE_GROUP, "prior"),
    ACTION_LANES.itemsize,
    [field_offset(ACTION_LANES, name) for name in ("q", "prior", "visits")],
)


@_kernel
def begin_puct(trees: Any, rules: Any, leaves: Any, count: int) -> None:
    """Initialise the first `count` trees with their root node."""
    for b in range(count):
        if not leaves.at_chance[b]:
            _add_noise(rules, leaves.prior[b], b)
        _init_root(trees, leaves, b)


@_kernel
def begin_gumbel(trees: Any, rules: Any, leaves: Any, count: int) -> None:
    """Initialise trees as `begin_puct`; the noise is added to scores and not to the prior."""
    for b in range(count):
        _init_root(trees, leaves, b)


@_inlined
def _add_noise(rules: Any, prior: Any, b: int) -> None:
    """Mix noise into a root's prior: (1 - fraction) P + fraction Dir(alpha) over legal actions."""
    for a in range(rules.noise.shape[1]):
        share, legal = rules.noise[b, a], prior[a] > -np.inf
        if legal and share >= 0.0:
            prior[a] = (1.0 - rules.fraction) * prior[a] + rules.fraction * share


@_inlined
def _init_root(trees: Any, leaves: Any, b: int) -> None:
    """Initialise a tree and discard its former simulations."""
    place = np.uint32(b)
    _init_node(trees, place, leaves, b, False)
    for a in range(trees.order.shape[1]):
        trees.order[place, a] = a
    node, returns = trees.nodes[place], trees.returns[place]
    node.end, node.reward, node.discount, node.depth = 0, 0.0, 0.0, 0
    returns.total, returns.visits = leaves.value[b], 1.0
    trees.low[b], trees.high[b], trees.depth[b] = np.inf, -np.inf, 0
    trees.latest[b] = leaves.value[b]


@_inlined
def _sort_by_prior(leaves: Any, moves: Any, first: int) -> None:
    """Sort the most probable actions of a tile of leaves to the front; ties keep their order."""
    for each in range(moves):
        store(leaves.order[first:, each], to_uint32(each))
    for best in range(min(moves, np.uint32(EDGES_PER_GROUP))):
        a = np.uint32(moves - np.uint32(1))
        prior, move = load(leaves.prior[first:, a]), load(leaves.order[first:, a])
        while a > best:  # carry the maximum forward and shift the others back
            before = np.uint32(a - np.uint32(1))
            here, there = load(leaves.prior[first:, before]), load(leaves.order[first:, before])
            store(leaves.prior[first:, a], if_greater(prior, here, here, prior))
            store(leaves.order[first:, a], if_greater(prior, here, there, move))
            move = if_greater(prior, here, move, there)
            prior = if_greater(prior, here, prior, here)
            a = before
        store(leaves.prior[first:, a], prior)
        store(leaves.order[first:, a], move)


@_inlined
def _prior_tail(leaves: Any, moves: Any, first: int) -> None:
    """Write, for each leading action, the prior mass from it on, in units of its own prior.

    Even a tiny mass matters if all visited actions turned out far worse.
    """
    a = np.uint32(min(moves, np.uint32(EDGES_PER_GROUP)) - np.uint32(1))
    after, rest = load(leaves.prior[first:, a]), to_float32(0.0)
    for each in range(a, moves):
        rest = rest + exponential(load(leaves.prior[first:, each]) - after)
    store(leaves.rest[first:, a], if_greater(after, -np.inf, rest, 1.0))
    while a > 0:
        a = np.uint32(a - np.uint32(1))
        prior, rest = load(leaves.prior[first:, a]), load(leaves.rest[first:, a + np.uint32(1)])
        more = fma(exponential(after - prior), rest, to_float32(1.0))
        store(leaves.rest[first:, a], if_greater(prior, -np.inf, more, 1.0))
        after = prior


@_inlined
def expand_puct(trees: Any, rules: Any, index: int, leaves: Any, count: int) -> None:
    """Expand the leaves as node `index` of the first `count` trees and back up their values."""
    for b in range(count):
        choice = np.uint32(trees.action[b])
        place, back = _expand(trees, b, choice, index, leaves, False)
        own, low, high = trees.returns[place], trees.low[b], trees.high[b]
        own.total, own.visits = back, 1.0
        for _ in range(trees.nodes[place].depth):
            node = trees.nodes[place]
            back = node.reward + node.discount * back
            place, choice = node.parent, np.uint32(node.choice)
            q = _update_edge(trees, place, choice, back)
            returns = trees.returns[place]
            returns.total += back
            returns.visits += 1.0
            low, high = min(low, q), max(high, q)
        trees.low[b], trees.high[b] = low, high


@_inlined
def expand_gumbel(trees: Any, rules: Any, index: int, leaves: Any, count: int) -> None:
    """Expand as `expand_puct`, then select again at all nodes whose values changed."""
    for first in range(0, count, TREES_PER_TILE):
        rows, changed = min(TREES_PER_TILE, count - first), _NONE
        _sort_by_prior(leaves, trees.width[0], first)
        _prior_tail(leaves, trees.width[0], first)
        for lane in range(rows):
            b = np.uint32(first + lane)
            place, back = _expand(trees, b, trees.choice[b], index, leaves, True)
            changed = _backup(trees, first, lane, place, back, changed)
        if index < rules.considered.shape[1]:  # the last simulation is followed by no selection
            _reselect(trees, rules, changed)


@_inlined
def _backup(trees: Any, first: int, lane: int, place: Any, back: float, changed: Any) -> Any:
    """Back up a value from a node to the root.

    Returns the number of updated nodes, which are recorded from the leaf upwards.
    """
    node = trees.nodes[place]
    while node.depth > 1:
        back, place = node.reward + node.discount * back, node.parent
        q = _update_edge(trees, place, np.uint32(node.choice), back)
        node = trees.nodes[place]
        trees.changed[changed], trees.recent[changed] = place, q
        trees.raw_values[changed] = node.raw_value
        changed += _FIRST
    back, place, choice = node.reward + node.discount * back, node.parent, np.uint32(node.choice)
    q = _update_edge(trees, place, choice, back)
    move, returns = trees.roots[first // TREES_PER_TILE, choice], trees.returns[place]
    move.q[lane], move.visits[lane] = q, move.visits[lane] + 1.0
    trees.latest[np.uint32(first + lane)] = q
    returns.total += back
    returns.visits += 1.0
    return changed


@_inlined
def _expand(trees: Any, b: Any, choice: Any, index: int, leaves: Any, in_order: bool) -> Any:
    """Add a leaf as a node; return its place and the value to back up."""
    parent, back = np.uint32(trees.parent[b]), 0.0
    place = trees.children[parent, choice]
    if place == 0:  # nothing is backed up from beyond a known end
        place = np.uint32(index * len(trees.depth) + b)
        trees.children[parent, choice] = place
        back = leaves.value[b]
        _init_node(trees, place, leaves, b, in_order)
        node, depth = trees.nodes[place], trees.nodes[parent].depth + 1
        node.reward, node.discount = leaves.reward[b], leaves.discount[b]
        node.parent, node.choice, node.depth = parent, choice, depth
        if in_order:
            node.end = _edge(place, np.uint32(0)) if leaves.discount[b] != 0.0 else _NONE
            trees.edges[parent, choice // EDGES_PER_GROUP].q[choice % EDGES_PER_GROUP] = 0.0
        trees.depth[b] = max(trees.depth[b], np.int32(depth))
    return place, back


@_inlined
def _edge(place: Any, choice: Any) -> Any:
    """Encode an edge as one number."""
    return np.uint64(place) << np.uint64(32) | np.uint64(choice)


@_inlined
def _update_edge(trees: Any, place: Any, choice: Any, back: float) -> Any:
    """Update an edge with a backed-up value and return its q."""
    edges, i = trees.edges[place, choice // EDGES_PER_GROUP], choice % EDGES_PER_GROUP
    visits, q = edges.visits[i] + 1.0, edges.q[i]
    q += (back - q) / visits
    edges.visits[i], edges.q[i] = visits, q
    return q


@_inlined
def _init_node(trees: Any, place: Any, leaves: Any, b: int, in_order: bool) -> None:
    """Initialise a node that has only its own evaluation."""
    groups, order, children = trees.edges[place], trees.order[place], trees.children[place]
    for group in range(len(groups)):
        edges, first = groups[group], np.uint32(group * EDGES_PER_GROUP)
        for i in range(EDGES_PER_GROUP):
            edges.visits[i], children[first + i] = 0.0, 0
            edges.q[i] = leaves.rest[b, first + i] if in_order else 0.0
    for group in range(len(groups)):
        edges, first = groups[group], np.uint32(group * EDGES_PER_GROUP)
        for i in range(EDGES_PER_GROUP):
            edges.prior[i] = leaves.prior[b, first + i]
            if in_order:
                order[first + i] = leaves.order[b, first + i]
    node = trees.nodes[place]
    node.raw_value, node.at_chance = leaves.value[b], leaves.at_chance[b]


@_inlined
def select_puct(trees: Any, rules: Any, count: int) -> None:
    """Descend the first `count` trees to edges to expand or to known terminal states.

    All trees of a tile descend one level at a time, so that memory accesses of one tree overlap
    with the work on others. A bit mask holds the trees still in descent; a list in memory would add
    a dependency between them.
    """
    for first in range(0, count, TREES_PER_TILE):
        rows = min(TREES_PER_TILE, count - first)
        for lane in range(rows):
            trees.places[lane] = first + lane
            _scale(trees, first + lane, lane, rules)
        under_way = (_FIRST << np.uint64(rows)) - _FIRST
        while under_way > 0:
            still = _NONE
            while under_way > 0:
                lane = lowest_bit(under_way)
                under_way &= under_way - _FIRST
                still |= _follow(trees, first, lane, _choose_by_puct(trees, lane, rules))
            under_way = still


@_inlined
def _follow(trees: Any, first: int, lane: Any, choice: Any) -> Any:
    """Follow an edge; return the lane's bit if it leads to a node to descend further."""
    b, place = np.uint64(first) + lane, trees.places[lane]
    if trees.nodes[place].at_chance:
        choice = np.uint32(_choose_outcome(trees.edges[place]))
    child = trees.children[place, choice]
    trees.parent[b], trees.action[b] = place, choice
    trees.places[lane] = child
    return np.uint64(trees.nodes[child].discount != 0.0) << lane


@_kernel
def select_gumbel(trees: Any, rules: Any, count: int) -> None:
    """Descend as `select_puct`: sequential halving at the root, the improved policy below it."""
    _descend_by_gumbel(trees, rules, 0, count)


@_inlined
def _descend_by_gumbel(trees: Any, rules: Any, start: int, count: int) -> None:
    """Descend the trees of a tile; tree 0 has row `start` of the rules.

    Below the root the end of the descent is stored, because nothing has changed there since.
    """
    for first in range(0, count, TREES_PER_TILE):
        rows, moves = min(TREES_PER_TILE, count - first), trees.roots[first // TREES_PER_TILE]
        if trees.returns[first].visits == 1.0:
            _gather_roots(trees, rules, moves, start, first, rows)
            _count_candidates(trees, rules, moves, first, rows)
        _schedule_visits(trees, rules, first, rows)
        _choose_at_root(trees, rules, moves, _complete_q(trees, rules, moves, 0, trees.width[0]))
        for lane in range(rows):
            b = np.uint32(first + lane)
            end = _end(trees, b, np.uint32(trees.scalars[0].choice[lane]))
            place, choice = np.uint32(end >> np.uint64(32)), np.uint32(end)
            trees.parent[b], trees.choice[b] = place, choice
            trees.action[b] = trees.order[place, choice]


@_inlined
def _count_candidates(trees: Any, rules: Any, moves: Any, first: int, rows: int) -> None:
    """Record how many root actions enter the sequential halving."""
    for lane in range(rows):
        legal = 0
        for a in range(trees.width[0]):
            legal += moves[a].prior[lane] > -np.inf
        trees.entrants[first + lane] = min(legal, len(rules.considered) - 1)


@_inlined
def _schedule_visits(trees: Any, rules: Any, first: int, rows: int) -> None:
    """Record the visit count that the next root action must have."""
    for lane in range(rows):
        b = np.uint32(first + lane)
        visits = np.uint32(trees.returns[b].visits) - np.uint32(1)
        trees.scalars[0].due_visits[lane] = rules.considered[np.uint32(trees.entrants[b]), visits]
    _load_values(trees, first, rows)


@_inlined
def _load_values(trees: Any, first: int, rows: int) -> None:
    """Load the values of the roots of a tile."""
    for lane in range(rows):
        b = np.uint32(first + lane)
        trees.raw_values[lane] = trees.nodes[b].raw_value
        trees.recent[lane] = trees.latest[b]


@_inlined
def _gather_roots(trees: Any, rules: Any, moves: Any, start: int, first: int, rows: int) -> None:
    """Gather the actions of roots into lanes, with noise + log prior as their score."""
    for lane in range(rows):
        trees.places[lane] = first + lane
    groups = trees.edges.shape[1]
    for group in range(groups):
        _transpose_edges(trees.edges, trees.places, groups, group, moves[group * EDGES_PER_GROUP :])
    for a in range(trees.width[0]):
        store(moves[a].score, load(moves[a].prior))
    if len(rules.noise) > 0:
        for lane in range(rows):
            b = np.uint32(start + first + lane)
            for a in range(rules.noise.shape[1]):
                moves[a].score[lane] += rules.noise[b, a]


@_inlined
def _gather_nodes(trees: Any, places: Any, moves: Any) -> Any:
    """Gather the actions of nodes into lanes, up to the first action that no node has visited.

    Returns the number of actions: all, if more were visited than are kept sorted.
    """
    reach, tried = np.uint32(0), True
    while tried and reach < trees.width[0]:
        if reach % EDGES_PER_GROUP == 0:
            group = reach // EDGES_PER_GROUP
            _transpose_edges(trees.edges, places, trees.edges.shape[1], group, moves[reach:])
        tried = bool(reach >= EDGES_PER_GROUP) or any_above(load(moves[reach].visits), 0.0)
        reach += np.uint32(1)
    return reach


@_inlined
def _reselect(trees: Any, rules: Any, count: Any) -> None:
    """Select again at updated nodes, in every tree from the deepest node to the root.

    Three steps run on different nodes at once, so that memory accesses overlap with computation.
    """
    changed: Any = np.int64(count)
    tiles = (changed + TREES_PER_TILE - 1) // TREES_PER_TILE
    for tile in range(tiles + 2):
        if tile < tiles:
            at, moves, scalars = (
                tile * TREES_PER_TILE,
                trees.moves[tile % 2],
                trees.scalars[tile % 2],
            )
            reach = _gather_nodes(trees, trees.changed[at:], moves)
            missing, slope, offset, _, total = _complete_q(trees, rules, moves, at, reach)
            trees.reach[tile % 2] = reach
            store(scalars.missing, missing)
            store(scalars.slope, slope)
            store(scalars.offset, offset)
            store(scalars.visits, total + 1.0)
        if 1 <= tile <= tiles:
            before = (tile - 1) % 2
            moves, scalars, reach = trees.moves[before], trees.scalars[before], trees.reach[before]
            _choose_by_improved_policy(trees, rules, moves, scalars, reach)
        if tile >= 2:
            at, scalars = (tile - 2) * TREES_PER_TILE, trees.scalars[tile % 2]
            for lane in range(min(TREES_PER_TILE, changed - at)):
                place = np.uint32(trees.changed[np.uint64(at + lane)])
                trees.nodes[place].end = _end(trees, place, np.uint32(scalars.choice[lane]))


@_inlined
def _end(trees: Any, place: Any, choice: Any) -> Any:
    """Return the edge at which a descent along this edge ends."""
    if trees.nodes[place].at_chance:
        choice = np.uint32(_choose_outcome(trees.edges[place]))
    further = trees.nodes[trees.children[place, choice]].end
    return further if further != 0 else _edge(place, choice)


@_inlined
def _choose_outcome(groups: Any) -> int:
    """argmax_c sigma(c) / (n_c + 1): visits follow the probabilities (Stochastic MuZero)."""
    best, best_share = 0, 0.0
    for group in range(len(groups)):
        edges = groups[group]
        for i in range(EDGES_PER_GROUP):
            share = edges.prior[i] / (1.0 + edges.visits[i])
            if share > best_share:
                best, best_share = group * EDGES_PER_GROUP + i, share
    return best


@_inlined
def _scale(trees: Any, b: int, lane: int, rules: Any) -> None:
    """Record how the tree's next descent scales q."""
    weight, least, span = 1.0, 0.0, 1.0
    if rules.normalise == NORMALISE_MIN_MAX:
        least, span = trees.low[b], trees.high[b] - trees.low[b]
    elif rules.normalise == NORMALISE_BOUNDS:
        least, span = rules.low, rules.high - rules.low
    # Scaling needs two different values of q; until then every q counts as the minimum.
    if not 0.0 < span < np.inf:
        weight, span, least = 0.0, 1.0, 0.0
    scalars = trees.scalars[0]
    scalars.weight[lane], scalars.span[lane], scalars.least[lane] = weight, span, least


@_inlined
def _choose_by_puct(trees: Any, lane: Any, rules: Any) -> Any:
    """argmax_a Q + P * exploration / (1 + n_a), with normalised Q (MuZero, eq. 2, 5).

    The scores are multiplied by the span, the divisor of q, and omit terms equal for all actions.
    """
    scalars, place = trees.scalars[0], trees.places[lane]
    groups, returns = trees.edges[place], trees.returns[place]
    weight, unvisited = scalars.weight[lane], scalars.least[lane]
    if rules.unvisited == UNVISITED_PARENT:
        unvisited = returns.total / returns.visits
    exploration = rules.exploration[np.uint32(returns.visits)] * scalars.span[lane]
    choice, best = _NONE, -np.inf
    for group in range(len(groups)):
        edges = groups[group]
        prior, visits = load_few(edges.prior), load_few(edges.visits)
        q = if_greater(visits, 0.0, load_few(edges.q), unvisited)
        score = q * weight + to_float64(prior / (visits + 1.0)) * exploration
        here = max_of_four(score)
        there = np.uint64(group) * np.uint64(EDGES_PER_GROUP) + lowest_bit(equals(score, here))
        choice = there if here > best else choice
        best = here if here > best else best
    return np.uint32(choice)


@_inlined
def _choose_at_root(trees: Any, rules: Any, moves: Any, completion: Any) -> None:
    """Argmax of g(a) + log P(a) + sigma(q(a)) over root actions with `due_visits` visits."""
    missing, slope, offset, _, _ = completion
    due_visits, choice, best = (
        load(trees.scalars[0].due_visits),
        to_float32(0.0),
        to_float32(-np.inf),
    )
    for a in range(trees.width[0]):
        move = moves[a]
        score = load(move.score) + _sigma(move, missing, slope, offset)
        score = if_equal(load(move.visits), due_visits, score, -np.inf)
        choice = if_greater(score, best, a, choice)
        best = if_greater(score, best, score, best)
    store(trees.scalars[0].choice, choice)


@_inlined
def _choose_by_improved_policy(
    trees: Any, rules: Any, moves: Any, scalars: Any, reach: Any
) -> None:
    """argmax_a pi'(a) - N(a) / (1 + sum_b N(b)) (Danihelka et al. 2022, section 5)."""
    missing, slope, offset = load(scalars.missing), load(scalars.slope), load(scalars.offset)
    total = _improve(trees, rules, moves, missing, slope, offset, reach)
    visits, less = load(scalars.visits), to_float32(0.0) - total
    # At least one action scores well above 0; an illegal action scores at most the smallest
    # exponential.
    choice, best = to_float32(0.0), to_float32(0.0)
    for a in range(reach):
        move = moves[a]
        score = fma(load(move.mass), visits, load(move.visits) * less)  # times both totals
        choice = if_greater(score, best, a, choice)
        best = if_greater(score, best, score, best)
    store(scalars.choice, choice)


@_inlined
def _improve(
    trees: Any, rules: Any, moves: Any, missing: Any, slope: Any, offset: Any, reach: Any
) -> Any:
    """Write pi' = softmax(log P + sigma(completed q)) of the leading actions, unnormalised.

    Returns the total. If the last leading action is unvisited, it represents all later ones.
    """
    most, total = to_float32(0.0), to_float32(0.0)
    if rules.apart:
        most = to_float32(-np.inf)
        for a in range(reach):
            logit = load(moves[a].prior) + _sigma(moves[a], missing, slope, offset)
            most = if_greater(logit, most, logit, most)
    for a in range(reach):
        move = moves[a]
        logit = load(move.prior) + _sigma(move, missing, slope, offset)
        mass = exponential(logit - most)
        store(move.mass, mass)
        total = total + mass
    if reach < trees.width[0]:
        last = moves[reach - np.uint32(1)]
        more = if_greater(load(last.visits), 0.0, 0.0, to_float32(load(last.q)) - 1.0)
        total = fma(load(last.mass), more, total)
    return total


@_inlined
def _sigma(move: Any, missing: Any, slope: Any, offset: Any) -> Any:
    """Compute sigma of an action's completed q; 0 for the maximum (eq. 8)."""
    return fma(slope, if_greater(load(move.visits), 0.0, load(move.gap), missing), offset)


@_inlined
def _complete_q(trees: Any, rules: Any, moves: Any, at: int, reach: Any) -> Any:
    """Write the gaps of q; return the completed q of unvisited actions and the terms of sigma.

    Returns the gap of the completed q of unvisited actions, the slope and offset of sigma, the
    maximum visits, and the total visits. They cover the actions that may be chosen here; mctx
    counts illegal actions, as unvisited, in the range. Gaps are relative to the node's `recent` q,
    so that single precision keeps their digits at any magnitude.

    sigma(q) = (c_visit + max_b N(b)) c_scale q / span (eq. 8); an offset of q has no effect. v_mix
    = (v + n sum_b P(b) q(b) / sum_b P(b)) / (1 + n), visited b, n visits (appendix D).
    """
    recent = load(trees.recent[at:])
    total, most, least, highest = to_float32(0.0), to_float32(0.0), to_float32(0.0), to_float32(0.0)
    for a in range(reach):
        move = moves[a]
        visits = load(move.visits)
        total, most = total + visits, if_greater(visits, most, visits, most)
        gap = if_greater(visits, 0.0, to_float32(load(move.q) - recent), 0.0)
        store(move.gap, gap)
        least, highest = if_greater(least, gap, gap, least), if_greater(gap, highest, gap, highest)
    mass, weighed, untried = to_float32(0.0), to_float32(0.0), to_float32(-np.inf)
    for a in range(reach):  # merging both loops would exceed the registers
        move = moves[a]
        visits, logit = load(move.visits), load(move.prior)
        chance = if_greater(visits, 0.0, exponential(logit), 0.0)
        mass, weighed = mass + chance, fma(chance, load(move.gap), weighed)
        still = if_greater(visits, 0.0, -np.inf, logit)
        untried = if_greater(still, untried, still, untried)
    own = to_float32(to_float64(load(trees.raw_values[at:])) - recent)
    mixed = fma(total, weighed, own * mass) / (mass * (total + 1.0))
    missing = if_greater(total, 0.0, mixed, own)
    # If no action is unvisited, the placeholder of illegal actions must not widen the range.
    missing = if_greater(untried, -np.inf, missing, highest)
    least = if_greater(least, missing, missing, least)
    highest = if_greater(missing, highest, missing, highest)
    # Differences within rounding error are not scaled up (as in mctx).
    span = highest - least
    span = if_greater(span, 1e-8, span, 1e-8)
    span = if_greater(rules.span, 0.0, rules.span, span)
    slope = (most + rules.c_visit) * rules.c_scale / span
    return missing, slope, to_float32(0.0) - slope * highest, most, total


@_kernel
def finish_puct(trees: Any, rules: Any, found: Any, start: int, count: int) -> bool:
    """Write the results of the first `count` trees to rows of `found` from `start` on.

    Returns whether all values are finite.
    """
    return _summarise(trees, found, start, count)


@_inlined
def _summarise(trees: Any, found: Any, start: int, count: int) -> bool:
    """Write visit shares, value, q, visits and tree depth of the roots."""
    finite = True
    for b in range(count):
        place, row, total = np.uint32(b), start + b, 0.0
        returns = trees.returns[place]
        value = returns.total / returns.visits
        for a in range(found.visits.shape[1]):
            edges, i = (
                trees.edges[place, np.uint32(a) // EDGES_PER_GROUP],
                np.uint32(a) % EDGES_PER_GROUP,
            )
            found.visits[row, a] = np.int32(edges.visits[i])
            total += edges.visits[i]
            found.q[row, a] = edges.q[i] if edges.visits[i] > 0.0 else value
        for a in range(found.visits.shape[1]):
            found.policy[row, a] = found.visits[row, a] / total
        found.value[row], found.depth[row] = value, trees.depth[b]
        finite &= np.isfinite(found.value[row])
    return finite


@_kernel
def finish_gumbel(trees: Any, rules: Any, found: Any, start: int, count: int) -> bool:
    """Write results as `finish_puct`, with completed q, the action and, if requested, pi'.

    Returns whether all of value and pi' are finite. It overwrites the lanes of the roots.
    """
    finite = _summarise(trees, found, start, count)
    scalars = trees.scalars[0]
    for first in range(0, count, TREES_PER_TILE):
        rows, moves = min(TREES_PER_TILE, count - first), trees.roots[first // TREES_PER_TILE]
        _load_values(trees, first, rows)
        completion = _complete_q(trees, rules, moves, 0, trees.width[0])
        missing, slope, offset, most, _ = completion
        recent = load(trees.recent)
        store(scalars.due_visits, most)
        _choose_at_root(trees, rules, moves, completion)
        total = _improve(trees, rules, moves, missing, slope, offset, trees.width[0])
        for a in range(found.policy.shape[1]):
            move = moves[a]
            store(
                move.q,
                if_greater(load(move.visits), 0.0, load(move.q), recent + to_float64(missing)),
            )
            share = load(move.mass) / total
            store(move.mass, if_greater(load(move.prior), -np.inf, share, 0.0))
            for lane in range(rows):
                row = start + first + lane
                found.q[row, a] = move.q[lane]
                finite &= np.isfinite(move.mass[lane])
                if rules.improved:
                    found.policy[row, a] = move.mass[lane]
        for lane in range(rows):
            found.action[start + first + lane] = np.int64(scalars.choice[lane])
    return finite


_four_rows, _four_panels, _one_panel = (
    block_product(4, 1),
    block_product(1, 4),
    block_product(1, 1),
)


@_kernel
def copy_weights(network: Any, sources: Any) -> None:
    """Copy the layers of a model into a compiled network.

    sources: places [layers, 4] (offset of its panels, first column, offset of its biases, columns
    of its biases), and per layer weights [out, in], biases [out] and by_action [A or 0, out].
    """
    places, weights, offsets, by_action = sources
    for layer in range(len(places)):
        panels_at, column, offset_at, width = places[layer]
        weight, offset, more = weights[layer], offsets[layer], by_action[layer]
        outputs, inputs = weight.shape
        for o in range(outputs):
            c = column + o
            start = panels_at + c // PANEL * inputs * PANEL + c % PANEL
            for i in range(inputs):
                network.weights[start + i * PANEL] = weight[o, i]
        for choice in range(max(len(more), 1)):
            start = offset_at + choice * width + column
            for o in range(outputs):
                network.offsets[start + o] = offset[o] + (more[choice, o] if len(more) else _ZERO)


@_kernel
def _multiply(network: Any, op: int, scratch: Any, action: Any, rows: int) -> None:
    """Evaluate one dense layer: bias by action, skip connection, product, ReLU."""
    layer = network.ops[op]
    _, source, inputs, target, panels, weights_at, offset_at, by_action, relu, added = layer
    stride, least, deep = network.width, _ZERO if relu else _LEAST, inputs * PANEL
    begin, begin_at, begin_stride = network.offsets, offset_at, 0
    if by_action > 0 or added >= 0:
        _begin(network, op, scratch, action, rows)
        begin, begin_at, begin_stride = scratch, target, stride
    whole = rows - rows % 4
    for p in range(panels):  # every panel is read once for all rows
        w, b, y = weights_at + p * deep, begin_at + p * PANEL, target + p * PANEL
        for row in range(0, whole, 4):
            _four_rows(
                scratch,
                row * stride + source,
                stride,
                network.weights,
                w,
                inputs,
                begin,
                row * begin_stride + b,
                begin_stride,
                scratch,
                row * stride + y,
                stride,
                least,
            )
    for row in range(whole, rows):
        x, b, y = row * stride + source, row * begin_stride + begin_at, row * stride + target
        p = 0
        while p + 4 <= panels:
            w = weights_at + p * deep
            _four_panels(
                scratch,
                x,
                stride,
                network.weights,
                w,
                inputs,
                begin,
                b + p * PANEL,
                begin_stride,
                scratch,
                y + p * PANEL,
                stride,
                least,
            )
            p += 4
        while p < panels:
            w = weights_at + p * deep
            _one_panel(
                scratch,
                x,
                stride,
                network.weights,
                w,
                inputs,
                begin,
                b + p * PANEL,
                begin_stride,
                scratch,
                y + p * PANEL,
                stride,
                least,
            )
            p += 1


@_inlined
def _begin(network: Any, op: int, scratch: Any, action: Any, rows: int) -> None:
    """Initialise the sums of a layer with the biases of the action and the skip connection."""
    target, columns, added = network.ops[op, 3], network.ops[op, 4] * PANEL, network.ops[op, 9]
    for r in range(rows):
        start, offset_at = r * network.width, network.ops[op, 6] + action[r] * network.ops[op, 7]
        begin = scratch[start + target : start + target + columns]
        offset = network.offsets[offset_at : offset_at + columns]
        for c in range(columns):
            begin[c] = offset[c]
        if added >= 0:
            more = scratch[start + added : start + added + columns]
            for c in range(columns):
                begin[c] += more[c]


@_reordered
def _normalise(kind: int, latent: Any) -> None:
    """Normalise a latent in place, as `LatentNorm` does."""
    size = len(latent)
    if kind == MIN_MAX:
        low, high = _min_max(latent)
        middle, scale = low, _ONE / max(high - low, _f(1e-5))
    else:
        total = squares = _ZERO
        for i in range(size):
            total += latent[i]
        middle = total / _f(size) if kind == LAYER_NORM else _ZERO
        for i in range(size):
            squares += (latent[i] - middle) * (latent[i] - middle)
        least = _f(1e-5) if kind == LAYER_NORM else _f(1e-12)
        scale = _ONE / np.sqrt(squares / _f(size) + least)
    for i in range(size):
        latent[i] = (latent[i] - middle) * scale


@_unordered
def _min_max(numbers: Any) -> tuple[Any, Any]:
    """Return minimum and maximum; NaN if one entry is NaN."""
    low = high = numbers[0]
    for i in range(len(numbers)):
        low, high = min(low, numbers[i]), max(high, numbers[i])
    return low, high


@_reordered
def _softmax(scratch: Any, at: int, size: int) -> None:
    """Convert logits to probabilities in place."""
    most, total = scratch[at], _ZERO
    for i in range(at, at + size):
        most = max(most, scratch[i])
    for i in range(at, at + size):
        scratch[i] = _exp_single(scratch[i] - most)
    for i in range(at, at + size):
        total += scratch[i]
    for i in range(at, at + size):
        scratch[i] /= total


@_inlined
def _read_scalar(network: Any, which: int, scratch: Any, start: int) -> Any:
    """Decode a scalar from the output of a head (`value_encoding.ScalarLayout`)."""
    place, size, transform, support = network.scalars[which]
    at = start + place
    y = scratch[at]
    if size > 1:
        _softmax(scratch, at, size)
        y = _ZERO
        for i in range(size):
            y += scratch[at + i] * network.support[support + i]
    if transform == SYMLOG:
        return _f(np.copysign(np.expm1(abs(y)), y))
    if transform == H:
        far = abs(y) + _f(1.001)
        root = far * _f(2.0) / (np.sqrt(far * _f(0.004) + _ONE) + _ONE)
        return _f(np.copysign(root * root - _ONE, y))
    return y


@_kernel
def evaluate(network: Any, scratch: Any, action: Any, rows: int, since: int) -> None:
    """Evaluate latents and actions to the next latents and all heads, in rows of the scratch.

    It starts at layer `since`: 0 for all layers, `network.heads` for the heads of a given latent.
    """
    for op in range(since, len(network.ops)):
        kind, at, size = network.ops[op, 0], network.ops[op, 1], network.ops[op, 2]
        if kind == PRODUCT:
            _multiply(network, op, scratch, action, rows)
        else:
            for r in range(rows):
                start = r * network.width + at
                _normalise(kind, scratch[start : start + size])


@_kernel
def encode(
    encoder: Any,
    sources: Any,
    observation: Any,
    divisor: Any,
    no_action: Any,
    scratch: Any,
    latents: Any,
) -> None:
    """Copy the weights of an encoder and write latents [B, size] of observations [B, D].

    Observations are divided by `divisor`. `sources` holds the arguments of `copy_weights`.
    """
    copy_weights(encoder, sources)
    for first in range(0, len(observation), TREES_PER_TILE):
        rows = min(TREES_PER_TILE, len(observation) - first)
        for r in range(rows):
            for i in range(observation.shape[1]):
                scratch[r * encoder.width + i] = _f(observation[first + r, i]) / divisor
        evaluate(encoder, scratch, no_action, rows, 0)
        for r in range(rows):
            start = r * encoder.width + encoder.latent
            _copy(scratch[start : start + encoder.size], latents[first + r])


@_kernel
def read(network: Any, scratch: Any, leaves: Any, rows: int) -> None:
    """Convert the outputs of the heads to `Leaves`."""
    for r in range(rows):
        start = r * network.width
        leaves.value[r] = _read_scalar(network, 0, scratch, start)
        leaves.reward[r] = _read_scalar(network, 1, scratch, start)
        leaves.discount[r] = network.discount
        if network.termination >= 0:
            going = _ONE / (_ONE + _exp_single(scratch[start + network.termination]))
            leaves.discount[r] *= going
        at = start + network.policy
        _read_logits(scratch[at : at + network.actions], leaves, r)


@_inlined
def _read_logits(logits: Any, leaves: Any, lane: int) -> None:
    """Write logits minus their maximum as log priors."""
    most = _LEAST
    for a in range(len(logits)):
        most = max(most, logits[a])
    for a in range(len(logits)):
        leaves.prior[lane, a] = logits[a] - most


@_inlined
def _to_probabilities(leaves: Any, moves: int) -> None:
    """Convert log priors to probabilities."""
    prior, total = leaves.prior, to_float32(0.0)
    for a in range(moves):
        chance = exponential(load(prior[:, a]))
        store(prior[:, a], chance)
        total = total + chance
    for a in range(moves):
        store(prior[:, a], load(prior[:, a]) / total)


@_inlined
def _step_model(network: Any, room: Any, index: int, rows: int) -> None:
    """Step the selected latents with the model and predict node `index`."""
    size = network.size
    for r in range(rows):
        start = np.uint32(r * network.width)
        here = room.latents[np.uint32(room.trees.parent[r])]
        _copy(here, room.scratch[start : start + size])
    evaluate(network, room.scratch, room.trees.action, rows, 0)
    for r in range(rows):
        start = np.uint32(r * network.width + network.latent)
        _copy(
            room.scratch[start : start + size], room.latents[np.uint32(index * TREES_PER_TILE + r)]
        )
    read(network, room.scratch, room.leaves, rows)


@_inlined
def _copy(source: Any, target: Any) -> None:
    for i in range(len(source)):
        target[i] = source[i]


@_inlined
def _predict_roots(
    network: Any, room: Any, latents: Any, legal: Any, logs: bool, start: int, rows: int
) -> bool:
    """Evaluate the roots and store their latents; return whether all predictions are finite."""
    finite, leaves = True, room.leaves
    for r in range(rows):
        at, here = r * network.width + network.latent, latents[start + r]
        _copy(here, room.latents[r])
        _copy(here, room.scratch[at : at + network.size])
    evaluate(network, room.scratch, room.no_action, rows, network.heads)
    for r in range(rows):
        begin = r * network.width
        leaves.value[r] = _read_scalar(network, 0, room.scratch, begin)
        finite &= np.isfinite(leaves.value[r])
        at = begin + network.policy
        logits = room.scratch[at : at + network.actions]
        for a in range(len(logits)):
            finite &= np.isfinite(logits[a])
            if not legal[start + r, a]:
                logits[a] = _LEAST
        _read_logits(logits, leaves, r)
    if not logs:
        _to_probabilities(leaves, network.actions)
    for r in range(rows):
        for a in range(network.actions):
            if not legal[start + r, a]:
                leaves.prior[r, a] = _LEAST
    return finite


@_kernel
def search_puct(
    rules: Any,
    network: Any,
    room: Any,
    latents: Any,
    legal: Any,
    found: Any,
    first: int,
    last: int,
) -> int:
    """Run whole searches from the latents [first, last), one tile of trees at a time.

    All tiles share one workspace, so that it stays in the processor's caches.
    """
    outcome, trees, leaves = FINITE, room.trees, room.leaves
    for start in range(first, last, TREES_PER_TILE):
        rows = min(TREES_PER_TILE, last - start)
        if not _predict_roots(network, room, latents, legal, False, start, rows):
            return NO_ROOT
        for r in range(rows):
            _add_noise(rules, leaves.prior[r], start + r)
            _init_root(trees, leaves, r)
        for index in range(1, len(room.latents) // TREES_PER_TILE):
            select_puct(trees, rules, rows)
            _step_model(network, room, index, rows)
            _to_probabilities(leaves, network.actions)
            expand_puct(trees, rules, index, leaves, rows)
        if not _summarise(trees, found, start, rows):
            outcome = NO_PLAN
    return outcome


@_kernel
def search_gumbel(
    rules: Any,
    network: Any,
    room: Any,
    latents: Any,
    legal: Any,
    found: Any,
    first: int,
    last: int,
) -> int:
    """Run whole searches as `search_puct`."""
    outcome, trees, leaves = FINITE, room.trees, room.leaves
    for start in range(first, last, TREES_PER_TILE):
        rows = min(TREES_PER_TILE, last - start)
        if not _predict_roots(network, room, latents, legal, True, start, rows):
            return NO_ROOT
        for r in range(rows):
            _init_root(trees, leaves, r)
        for index in range(1, len(room.latents) // TREES_PER_TILE):
            _descend_by_gumbel(trees, rules, start, rows)
            _step_model(network, room, index, rows)
            expand_gumbel(trees, rules, index, leaves, rows)
        if not finish_gumbel(trees, rules, found, start, rows):
            outcome = NO_PLAN
    return outcome
