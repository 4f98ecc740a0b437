"""The compiled kernels of a tree search: growth, descent, small networks, whole searches.

They stand in this one file, but for what is in `registers.py`: numba renews what it has cached when
the file of a kernel changes, not when that of a kernel called by it does. Rows of a batch never
meet, so that threads can share a batch out, and a row's result is the same in any batch.

Numba asks of every signed index whether it counts from the end. What a search reads of indices is
therefore unsigned, or so cast where nothing else tells that it is not negative; of 32 bits, for of
64 beside signed numbers numba makes floats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

from workbench.planning.tree.simd import (
    PANEL,
    TILE,
    TOGETHER,
    any_above,
    block_product,
    double,
    equals,
    exponential,
    fused,
    greatest,
    if_equal,
    if_greater,
    load,
    load_few,
    lowest,
    single,
    store,
    turner,
    whole,
)
from workbench.planning.tree.trees import BESIDE, EDGES, place_of

REGISTERS = "80deb03882ed89fa"
"""The digest of `registers.py`: where that changes so does this file, and what is cached of it."""

NORMALISE_NONE, NORMALISE_MIN_MAX, NORMALISE_BOUNDS = 0, 1, 2
UNVISITED_ZERO, UNVISITED_PARENT = 0, 1

PRODUCT, MIN_MAX, LAYER_NORM, L2 = 0, 1, 2, 3
PLAIN, H, SYMLOG = 0, 1, 2
SOUND, NO_PLAN, NO_ROOT = 0, 1, 2  # what is not made of finite numbers

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(**options: Any) -> Callable[[_Function], _Function]:
    """numba's decorator, without its atomic counts of the references to every array touched.

    They took a third of a search. What is compiled so cannot allocate arrays.
    """
    settings = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
    decorator: Callable[[_Function], _Function] = cast(Any, njit)(**settings, **options)
    return decorator


_kernel = _compiled()
# As a call, a kernel passes all trees on, word by word: as much as a tenth of a descent.
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
_SHIFT = _f(12582912.0)  # 1.5 * 2^23: what is added to it is rounded to a whole number
_LOWEST, _HIGHEST = _f(-87.0), _f(88.0)


@_contracted
def _exp_single(x: Any) -> Any:
    """e^x in single precision, in a form that a loop can vectorise (Moshier's Cephes, expf)."""
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


# Of edges priors and visits lie behind each other, as the turner reads its singles.
_turn_edges = turner(
    EDGES.itemsize,
    place_of(EDGES, "q"),
    place_of(EDGES, "prior"),
    BESIDE.itemsize,
    [place_of(BESIDE, name) for name in ("q", "prior", "visits")],
)


@_kernel
def begin_puct(trees: Any, rules: Any, leaves: Any, count: int) -> None:
    """Begin trees of one node, the first `count`."""
    for b in range(count):
        if not leaves.at_chance[b]:
            _add_noise(rules, leaves.prior[b], b)
        _open_root(trees, leaves, b)


@_kernel
def begin_gumbel(trees: Any, rules: Any, leaves: Any, count: int) -> None:
    """As `begin_puct`; what noise there is adds to scores and not to the prior."""
    for b in range(count):
        _open_root(trees, leaves, b)


@_inlined
def _add_noise(rules: Any, prior: Any, b: int) -> None:
    """(1 - fraction) P + fraction Dir(alpha) of a root's legal moves, if there is to be noise."""
    for a in range(rules.noise.shape[1]):
        share, legal = rules.noise[b, a], prior[a] > -np.inf
        if legal and share >= 0.0:
            prior[a] = (1.0 - rules.fraction) * prior[a] + rules.fraction * share


@_inlined
def _open_root(trees: Any, leaves: Any, b: int) -> None:
    """Begin a tree, and forget all simulations there were."""
    place = np.uint32(b)
    _open(trees, place, leaves, b, False)
    for a in range(trees.order.shape[1]):
        trees.order[place, a] = a
    node, returns = trees.nodes[place], trees.returns[place]
    node.end, node.reward, node.discount, node.depth = 0, 0.0, 0.0, 0
    returns.total, returns.visits = leaves.value[b], 1.0
    trees.low[b], trees.high[b], trees.depth[b] = np.inf, -np.inf, 0
    trees.latest[b] = leaves.value[b]


@_inlined
def _stand_in_order(leaves: Any, moves: Any, first: int) -> None:
    """Put the likeliest moves of so many leaves first; of equal ones, those that came first."""
    for each in range(moves):
        store(leaves.order[first:, each], whole(each))
    for best in range(min(moves, np.uint32(TOGETHER))):
        a = np.uint32(moves - np.uint32(1))
        prior, move = load(leaves.prior[first:, a]), load(leaves.order[first:, a])
        while a > best:  # the greatest so far is carried on, the others stay behind it
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
def _sum_up_rest(leaves: Any, moves: Any, first: int) -> None:
    """Write of the likeliest moves how much prior there is from each on, in shares of its own.

    So little as that may be, it counts where all that was tried has turned out far worse.
    """
    a = np.uint32(min(moves, np.uint32(TOGETHER)) - np.uint32(1))
    after, rest = load(leaves.prior[first:, a]), single(0.0)
    for each in range(a, moves):
        rest = rest + exponential(load(leaves.prior[first:, each]) - after)
    store(leaves.rest[first:, a], if_greater(after, -np.inf, rest, 1.0))
    while a > 0:
        a = np.uint32(a - np.uint32(1))
        prior, rest = load(leaves.prior[first:, a]), load(leaves.rest[first:, a + np.uint32(1)])
        more = fused(exponential(after - prior), rest, single(1.0))
        store(leaves.rest[first:, a], if_greater(prior, -np.inf, more, 1.0))
        after = prior


@_inlined
def expand_puct(trees: Any, rules: Any, index: int, leaves: Any, count: int) -> None:
    """Attach `Leaves` as node `index` of the first `count` trees, and send values up the paths."""
    for b in range(count):
        choice = np.uint32(trees.action[b])
        place, back = _attach(trees, b, choice, index, leaves, False)
        own, low, high = trees.returns[place], trees.low[b], trees.high[b]
        own.total, own.visits = back, 1.0
        for _ in range(trees.nodes[place].depth):
            node = trees.nodes[place]
            back = node.reward + node.discount * back
            place, choice = node.parent, np.uint32(node.choice)
            q = _come_back(trees, place, choice, back)
            returns = trees.returns[place]
            returns.total += back
            returns.visits += 1.0
            low, high = min(low, q), max(high, q)
        trees.low[b], trees.high[b] = low, high


@_inlined
def expand_gumbel(trees: Any, rules: Any, index: int, leaves: Any, count: int) -> None:
    """As `expand_puct`; and choose anew at all nodes that something came back to."""
    for first in range(0, count, TILE):
        rows, changed = min(TILE, count - first), _NONE
        _stand_in_order(leaves, trees.width[0], first)
        _sum_up_rest(leaves, trees.width[0], first)
        for lane in range(rows):
            b = np.uint32(first + lane)
            place, back = _attach(trees, b, trees.choice[b], index, leaves, True)
            changed = _go_up(trees, first, lane, place, back, changed)
        if index < rules.considered.shape[1]:  # of the last simulation nobody asks
            _choose_anew(trees, rules, changed)


@_inlined
def _go_up(trees: Any, first: int, lane: int, place: Any, back: float, changed: Any) -> Any:
    """Send a value up from a node to the root.

    How many nodes something came back to: they are noted, those first that are nearest to leaves.
    """
    node = trees.nodes[place]
    while node.depth > 1:
        back, place = node.reward + node.discount * back, node.parent
        q = _come_back(trees, place, np.uint32(node.choice), back)
        node = trees.nodes[place]
        trees.changed[changed], trees.recent[changed] = place, q
        trees.raw_values[changed] = node.raw_value
        changed += _FIRST
    back, place, choice = node.reward + node.discount * back, node.parent, np.uint32(node.choice)
    q = _come_back(trees, place, choice, back)
    move, returns = trees.roots[first // TILE, choice], trees.returns[place]
    move.q[lane], move.visits[lane] = q, move.visits[lane] + 1.0
    trees.latest[np.uint32(first + lane)] = q
    returns.total += back
    returns.visits += 1.0
    return changed


@_inlined
def _attach(trees: Any, b: Any, choice: Any, index: int, leaves: Any, in_order: bool) -> Any:
    """Make what a model says of a leaf a node. Its place, and what comes back from there."""
    parent, back = np.uint32(trees.parent[b]), 0.0
    place = trees.children[parent, choice]
    if place == 0:  # beyond a known end nothing comes back
        place = np.uint32(index * len(trees.depth) + b)
        trees.children[parent, choice] = place
        back = leaves.value[b]
        _open(trees, place, leaves, b, in_order)
        node, depth = trees.nodes[place], trees.nodes[parent].depth + 1
        node.reward, node.discount = leaves.reward[b], leaves.discount[b]
        node.parent, node.choice, node.depth = parent, choice, depth
        if in_order:
            node.end = _edge(place, np.uint32(0)) if leaves.discount[b] != 0.0 else _NONE
            trees.edges[parent, choice // TOGETHER].q[choice % TOGETHER] = 0.0
        trees.depth[b] = max(trees.depth[b], np.int32(depth))
    return place, back


@_inlined
def _edge(place: Any, choice: Any) -> Any:
    """An edge as one number."""
    return np.uint64(place) << np.uint64(32) | np.uint64(choice)


@_inlined
def _come_back(trees: Any, place: Any, choice: Any, back: float) -> Any:
    """Count at a node what came back by a move. Its q."""
    edges, i = trees.edges[place, choice // TOGETHER], choice % TOGETHER
    visits, q = edges.visits[i] + 1.0, edges.q[i]
    q += (back - q) / visits
    edges.visits[i], edges.q[i] = visits, q
    return q


@_inlined
def _open(trees: Any, place: Any, leaves: Any, b: int, in_order: bool) -> None:
    """Write a node that nothing has come back to but its own value."""
    groups, order, children = trees.edges[place], trees.order[place], trees.children[place]
    for group in range(len(groups)):
        edges, first = groups[group], np.uint32(group * TOGETHER)
        for i in range(TOGETHER):
            edges.visits[i], children[first + i] = 0.0, 0
            edges.q[i] = leaves.rest[b, first + i] if in_order else 0.0
    for group in range(len(groups)):
        edges, first = groups[group], np.uint32(group * TOGETHER)
        for i in range(TOGETHER):
            edges.prior[i] = leaves.prior[b, first + i]
            if in_order:
                order[first + i] = leaves.order[b, first + i]
    node = trees.nodes[place]
    node.raw_value, node.at_chance = leaves.value[b], leaves.at_chance[b]


@_inlined
def select_puct(trees: Any, rules: Any, count: int) -> None:
    """Descend the first `count` trees to edges to expand, or to known ends.

    Trees go down a level together: what one waits for, the others have time to do. Which still do
    is kept as bits: of a list in memory, each would wait until the one before it is written down.
    """
    for first in range(0, count, TILE):
        rows = min(TILE, count - first)
        for lane in range(rows):
            trees.places[lane] = first + lane
            _scale(trees, first + lane, lane, rules)
        under_way = (_FIRST << np.uint64(rows)) - _FIRST
        while under_way > 0:
            still = _NONE
            while under_way > 0:
                lane = lowest(under_way)
                under_way &= under_way - _FIRST
                still |= _follow(trees, first, lane, _choose_by_puct(trees, lane, rules))
            under_way = still


@_inlined
def _follow(trees: Any, first: int, lane: Any, choice: Any) -> Any:
    """Go down an edge. The lane's bit if it leads to a node that is to be asked too."""
    b, place = np.uint64(first) + lane, trees.places[lane]
    if trees.nodes[place].at_chance:
        choice = np.uint32(_choose_outcome(trees.edges[place]))
    child = trees.children[place, choice]
    trees.parent[b], trees.action[b] = place, choice
    trees.places[lane] = child
    return np.uint64(trees.nodes[child].discount != 0.0) << lane


@_kernel
def select_gumbel(trees: Any, rules: Any, count: int) -> None:
    """As `select_puct`: sequential halving at the root, below it the improved policy."""
    _descend_by_gumbel(trees, rules, 0, count)


@_inlined
def _descend_by_gumbel(trees: Any, rules: Any, start: int, count: int) -> None:
    """The same; tree 0 is of row `start` of the rules.

    Below a root where descents end is known: nothing there has changed since it was noted.
    """
    for first in range(0, count, TILE):
        rows, moves = min(TILE, count - first), trees.roots[first // TILE]
        if trees.returns[first].visits == 1.0:
            _stand_roots(trees, rules, moves, start, first, rows)
            _enter(trees, rules, moves, first, rows)
        _take_turns(trees, rules, first, rows)
        _choose_at_root(trees, rules, moves, _complete(trees, rules, moves, 0, trees.width[0]))
        for lane in range(rows):
            b = np.uint32(first + lane)
            end = _end(trees, b, np.uint32(trees.told[0].choice[lane]))
            place, choice = np.uint32(end >> np.uint64(32)), np.uint32(end)
            trees.parent[b], trees.choice[b] = place, choice
            trees.action[b] = trees.order[place, choice]


@_inlined
def _enter(trees: Any, rules: Any, moves: Any, first: int, rows: int) -> None:
    """Note how many moves of roots enter the halving."""
    for lane in range(rows):
        legal = 0
        for a in range(trees.width[0]):
            legal += moves[a].prior[lane] > -np.inf
        trees.entrants[first + lane] = min(legal, len(rules.considered) - 1)


@_inlined
def _take_turns(trees: Any, rules: Any, first: int, rows: int) -> None:
    """Note how many visits the move of a root has whose turn it is."""
    for lane in range(rows):
        b = np.uint32(first + lane)
        visits = np.uint32(trees.returns[b].visits) - np.uint32(1)
        trees.told[0].turn[lane] = rules.considered[np.uint32(trees.entrants[b]), visits]
    _note_values(trees, first, rows)


@_inlined
def _note_values(trees: Any, first: int, rows: int) -> None:
    """Lay those of roots beside each other."""
    for lane in range(rows):
        b = np.uint32(first + lane)
        trees.raw_values[lane] = trees.nodes[b].raw_value
        trees.recent[lane] = trees.latest[b]


@_inlined
def _stand_roots(trees: Any, rules: Any, moves: Any, start: int, first: int, rows: int) -> None:
    """Lay roots beside each other, and noise + log prior of their moves."""
    for lane in range(rows):
        trees.places[lane] = first + lane
    groups = trees.edges.shape[1]
    for group in range(groups):
        _turn_edges(trees.edges, trees.places, groups, group, moves[group * TOGETHER :])
    for a in range(trees.width[0]):
        store(moves[a].score, load(moves[a].prior))
    if len(rules.noise) > 0:
        for lane in range(rows):
            b = np.uint32(start + first + lane)
            for a in range(rules.noise.shape[1]):
                moves[a].score[lane] += rules.noise[b, a]


@_inlined
def _stand_beside(trees: Any, places: Any, moves: Any) -> Any:
    """Lay the moves of nodes beside each other, up to the first that was tried at none of them.

    How many these are: all, where more were tried than stand in order.
    """
    reach, tried = np.uint32(0), True
    while tried and reach < trees.width[0]:
        if reach % TOGETHER == 0:
            group = reach // TOGETHER
            _turn_edges(trees.edges, places, trees.edges.shape[1], group, moves[reach:])
        tried = bool(reach >= TOGETHER) or any_above(load(moves[reach].visits), 0.0)
        reach += np.uint32(1)
    return reach


@_inlined
def _choose_anew(trees: Any, rules: Any, count: Any) -> None:
    """Note where descents from nodes end, in every tree from the farthest from its root on.

    In three steps, each for other nodes: what one waits for, the others have time to do.
    """
    changed: Any = np.int64(count)
    tiles = (changed + TILE - 1) // TILE
    for tile in range(tiles + 2):
        if tile < tiles:
            at, moves, told = tile * TILE, trees.moves[tile % 2], trees.told[tile % 2]
            reach = _stand_beside(trees, trees.changed[at:], moves)
            missing, slope, offset, _, total = _complete(trees, rules, moves, at, reach)
            trees.reach[tile % 2] = reach
            store(told.missing, missing)
            store(told.slope, slope)
            store(told.offset, offset)
            store(told.visits, total + 1.0)
        if 1 <= tile <= tiles:
            before = (tile - 1) % 2
            moves, told, reach = trees.moves[before], trees.told[before], trees.reach[before]
            _choose_by_improved_policy(trees, rules, moves, told, reach)
        if tile >= 2:
            at, told = (tile - 2) * TILE, trees.told[tile % 2]
            for lane in range(min(TILE, changed - at)):
                place = np.uint32(trees.changed[np.uint64(at + lane)])
                trees.nodes[place].end = _end(trees, place, np.uint32(told.choice[lane]))


@_inlined
def _end(trees: Any, place: Any, choice: Any) -> Any:
    """The edge at which a descent by this one ends."""
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
        for i in range(TOGETHER):
            share = edges.prior[i] / (1.0 + edges.visits[i])
            if share > best_share:
                best, best_share = group * TOGETHER + i, share
    return best


@_inlined
def _scale(trees: Any, b: int, lane: int, rules: Any) -> None:
    """Note how q is scaled in the tree's next descent."""
    weight, least, span = 1.0, 0.0, 1.0
    if rules.normalise == NORMALISE_MIN_MAX:
        least, span = trees.low[b], trees.high[b] - trees.low[b]
    elif rules.normalise == NORMALISE_BOUNDS:
        least, span = rules.low, rules.high - rules.low
    # Before two different q are known there is nothing to scale: all count as the least.
    if not 0.0 < span < np.inf:
        weight, span, least = 0.0, 1.0, 0.0
    told = trees.told[0]
    told.weight[lane], told.span[lane], told.least[lane] = weight, span, least


@_inlined
def _choose_by_puct(trees: Any, lane: Any, rules: Any) -> Any:
    """argmax_a Q + P * exploration / (1 + n_a), Q scaled as the rules say (MuZero, eq. 2, 5).

    All times the span, and without what is the same for all moves.
    """
    told, place = trees.told[0], trees.places[lane]
    groups, returns = trees.edges[place], trees.returns[place]
    weight, unvisited = told.weight[lane], told.least[lane]
    if rules.unvisited == UNVISITED_PARENT:
        unvisited = returns.total / returns.visits
    exploration = rules.exploration[np.uint32(returns.visits)] * told.span[lane]
    choice, best = _NONE, -np.inf
    for group in range(len(groups)):
        edges = groups[group]
        prior, visits = load_few(edges.prior), load_few(edges.visits)
        q = if_greater(visits, 0.0, load_few(edges.q), unvisited)
        score = q * weight + double(prior / (visits + 1.0)) * exploration
        here = greatest(score)
        there = np.uint64(group) * np.uint64(TOGETHER) + lowest(equals(score, here))
        choice = there if here > best else choice
        best = here if here > best else best
    return np.uint32(choice)


@_inlined
def _choose_at_root(trees: Any, rules: Any, moves: Any, completion: Any) -> None:
    """argmax of g(a) + log P(a) + sigma(q(a)) over a root's moves that have its `turn` visits."""
    missing, slope, offset, _, _ = completion
    turn, choice, best = load(trees.told[0].turn), single(0.0), single(-np.inf)
    for a in range(trees.width[0]):
        move = moves[a]
        score = load(move.score) + _sigma(move, missing, slope, offset)
        score = if_equal(load(move.visits), turn, score, -np.inf)
        choice = if_greater(score, best, a, choice)
        best = if_greater(score, best, score, best)
    store(trees.told[0].choice, choice)


@_inlined
def _choose_by_improved_policy(trees: Any, rules: Any, moves: Any, told: Any, reach: Any) -> None:
    """argmax_a pi'(a) - N(a) / (1 + sum_b N(b)) (Danihelka et al. 2022, section 5)."""
    missing, slope, offset = load(told.missing), load(told.slope), load(told.offset)
    total = _improve(trees, rules, moves, missing, slope, offset, reach)
    visits, less = load(told.visits), single(0.0) - total
    # One is far above 0; moves that are not legal are as near to it as the least exponential.
    choice, best = single(0.0), single(0.0)
    for a in range(reach):
        move = moves[a]
        score = fused(load(move.worth), visits, load(move.visits) * less)  # times both totals
        choice = if_greater(score, best, a, choice)
        best = if_greater(score, best, score, best)
    store(told.choice, choice)


@_inlined
def _improve(
    trees: Any, rules: Any, moves: Any, missing: Any, slope: Any, offset: Any, reach: Any
) -> Any:
    """Write pi' = softmax(log P + sigma(completed q)) of the first moves, times the total of all.

    The total is returned. Where the last of these was not tried, it stands for all that follow.
    """
    most, total = single(0.0), single(0.0)
    if rules.apart:
        most = single(-np.inf)
        for a in range(reach):
            logit = load(moves[a].prior) + _sigma(moves[a], missing, slope, offset)
            most = if_greater(logit, most, logit, most)
    for a in range(reach):
        move = moves[a]
        logit = load(move.prior) + _sigma(move, missing, slope, offset)
        worth = exponential(logit - most)
        store(move.worth, worth)
        total = total + worth
    if reach < trees.width[0]:
        last = moves[reach - np.uint32(1)]
        more = if_greater(load(last.visits), 0.0, 0.0, single(load(last.q)) - 1.0)
        total = fused(load(last.worth), more, total)
    return total


@_inlined
def _sigma(move: Any, missing: Any, slope: Any, offset: Any) -> Any:
    """sigma of a move's completed q, 0 for the greatest (eq. 8)."""
    return fused(slope, if_greater(load(move.visits), 0.0, load(move.gap), missing), offset)


@_inlined
def _complete(trees: Any, rules: Any, moves: Any, at: int, reach: Any) -> Any:
    """Write the gaps of q, and tell completed q of moves without visits, and what sigma asks.

    The gap of the completed q of moves without visits, the slope of sigma and what it adds; visits
    of the most visited move, and of all. Over the moves that may be chosen here; mctx counts
    illegal ones, as unvisited, in the range. Gaps are from what the node's `recent` says: one of
    its q, so that their digits are kept in single precision, wherever values lie.

    sigma(q) = (c_visit + max_b N(b)) c_scale q / span (eq. 8); an offset of q counts for nothing.
    v_mix = (v + n sum_b P(b) q(b) / sum_b P(b)) / (1 + n), visited b, n visits (appendix D).
    """
    recent = load(trees.recent[at:])
    total, most, least, highest = single(0.0), single(0.0), single(0.0), single(0.0)
    for a in range(reach):
        move = moves[a]
        visits = load(move.visits)
        total, most = total + visits, if_greater(visits, most, visits, most)
        gap = if_greater(visits, 0.0, single(load(move.q) - recent), 0.0)
        store(move.gap, gap)
        least, highest = if_greater(least, gap, gap, least), if_greater(gap, highest, gap, highest)
    mass, weighed, untried = single(0.0), single(0.0), single(-np.inf)
    for a in range(reach):  # both loops in one do not fit into registers
        move = moves[a]
        visits, logit = load(move.visits), load(move.prior)
        chance = if_greater(visits, 0.0, exponential(logit), 0.0)
        mass, weighed = mass + chance, fused(chance, load(move.gap), weighed)
        still = if_greater(visits, 0.0, -np.inf, logit)
        untried = if_greater(still, untried, still, untried)
    own = single(double(load(trees.raw_values[at:])) - recent)
    mixed = fused(total, weighed, own * mass) / (mass * (total + 1.0))
    missing = if_greater(total, 0.0, mixed, own)
    # Where none is missing, what stands for illegal moves must not widen the range.
    missing = if_greater(untried, -np.inf, missing, highest)
    least = if_greater(least, missing, missing, least)
    highest = if_greater(missing, highest, missing, highest)
    # Differences too small to be more than rounding are not blown up (as in mctx).
    span = highest - least
    span = if_greater(span, 1e-8, span, 1e-8)
    span = if_greater(rules.span, 0.0, rules.span, span)
    slope = (most + rules.c_visit) * rules.c_scale / span
    return missing, slope, single(0.0) - slope * highest, most, total


@_kernel
def conclude_puct(trees: Any, rules: Any, found: Any, start: int, count: int) -> bool:
    """Write what the first `count` trees come to as rows of `found`, from `start` on.

    Whether all values are finite numbers.
    """
    return _summarise(trees, found, start, count)


@_inlined
def _summarise(trees: Any, found: Any, start: int, count: int) -> bool:
    """Shares of the visits, value, q and visits of roots, and how deep their trees are."""
    finite = True
    for b in range(count):
        place, row, total = np.uint32(b), start + b, 0.0
        returns = trees.returns[place]
        value = returns.total / returns.visits
        for a in range(found.visits.shape[1]):
            edges, i = trees.edges[place, np.uint32(a) // TOGETHER], np.uint32(a) % TOGETHER
            found.visits[row, a] = np.int32(edges.visits[i])
            total += edges.visits[i]
            found.q[row, a] = edges.q[i] if edges.visits[i] > 0.0 else value
        for a in range(found.visits.shape[1]):
            found.policy[row, a] = found.visits[row, a] / total
        found.value[row], found.depth[row] = value, trees.depth[b]
        finite &= np.isfinite(found.value[row])
    return finite


@_kernel
def conclude_gumbel(trees: Any, rules: Any, found: Any, start: int, count: int) -> bool:
    """As `conclude_puct`, with completed q, the move, and if it is to be improved, pi'.

    Whether all of value and pi' are finite numbers. Roots stand beside each other no more.
    """
    finite = _summarise(trees, found, start, count)
    told = trees.told[0]
    for first in range(0, count, TILE):
        rows, moves = min(TILE, count - first), trees.roots[first // TILE]
        _note_values(trees, first, rows)
        completion = _complete(trees, rules, moves, 0, trees.width[0])
        missing, slope, offset, most, _ = completion
        recent = load(trees.recent)
        store(told.turn, most)
        _choose_at_root(trees, rules, moves, completion)
        total = _improve(trees, rules, moves, missing, slope, offset, trees.width[0])
        for a in range(found.policy.shape[1]):
            move = moves[a]
            store(
                move.q, if_greater(load(move.visits), 0.0, load(move.q), recent + double(missing))
            )
            share = load(move.worth) / total
            store(move.worth, if_greater(load(move.prior), -np.inf, share, 0.0))
            for lane in range(rows):
                row = start + first + lane
                found.q[row, a] = move.q[lane]
                finite &= np.isfinite(move.worth[lane])
                if rules.improved:
                    found.policy[row, a] = move.worth[lane]
        for lane in range(rows):
            found.action[start + first + lane] = np.int64(told.choice[lane])
    return finite


_four_rows, _four_panels, _one_panel = (
    block_product(4, 1),
    block_product(1, 4),
    block_product(1, 1),
)


@_kernel
def lay_out(network: Any, sources: Any) -> None:
    """Copy the layers of a model to where a network has them.

    sources: places [layers, 4], where its panels begin, the first of its columns, where its
    offsets begin, columns of its offsets; weights [out, in], offsets [out], by_action [A or 0, out]
    by layer.
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
    """One dense layer: offset by the action, what is added to it, product, ReLU."""
    layer = network.ops[op]
    _, source, inputs, target, panels, weights_at, offset_at, by_action, relu, added = layer
    stride, least, deep = network.width, _ZERO if relu else _LEAST, inputs * PANEL
    begin, begin_at, begin_stride = network.offsets, offset_at, 0
    if by_action > 0 or added >= 0:
        _begin(network, op, scratch, action, rows)
        begin, begin_at, begin_stride = scratch, target, stride
    whole = rows - rows % 4
    for p in range(panels):  # a panel is read once for all rows
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
    """Write where a layer will what its sums begin from: offsets of the action, what is added."""
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
    """Scale a latent in its place, as `LatentNorm` does."""
    size = len(latent)
    if kind == MIN_MAX:
        low, high = _extremes(latent)
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
def _extremes(numbers: Any) -> tuple[Any, Any]:
    """The least and the greatest; any two if one is no number (which stays one)."""
    low = high = numbers[0]
    for i in range(len(numbers)):
        low, high = min(low, numbers[i]), max(high, numbers[i])
    return low, high


@_reordered
def _soften(scratch: Any, at: int, size: int) -> None:
    """Logits to probabilities, in their place."""
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
    """The number that a head wrote (`support.Scale`)."""
    place, size, transform, support = network.scalars[which]
    at = start + place
    y = scratch[at]
    if size > 1:
        _soften(scratch, at, size)
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
    """From latents and actions to the next latents and all heads, in rows of the scratch.

    By the layers from `since` on: all from 0, those that read a latent from `network.heads`.
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
    """Lay an encoder out, and write latents [B, size] of observations [B, D].

    These are divided by `divisor`. sources: what `lay_out` copies from.
    """
    lay_out(encoder, sources)
    for first in range(0, len(observation), TILE):
        rows = min(TILE, len(observation) - first)
        for r in range(rows):
            for i in range(observation.shape[1]):
                scratch[r * encoder.width + i] = _f(observation[first + r, i]) / divisor
        evaluate(encoder, scratch, no_action, rows, 0)
        for r in range(rows):
            start = r * encoder.width + encoder.latent
            _copy(scratch[start : start + encoder.size], latents[first + r])


@_kernel
def read(network: Any, scratch: Any, leaves: Any, rows: int) -> None:
    """From what the heads wrote to `Leaves`."""
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
    """Write logits, less their greatest, as log priors."""
    most = _LEAST
    for a in range(len(logits)):
        most = max(most, logits[a])
    for a in range(len(logits)):
        leaves.prior[lane, a] = logits[a] - most


@_inlined
def _to_probabilities(leaves: Any, moves: int) -> None:
    """Make log priors probabilities."""
    prior, total = leaves.prior, single(0.0)
    for a in range(moves):
        chance = exponential(load(prior[:, a]))
        store(prior[:, a], chance)
        total = total + chance
    for a in range(moves):
        store(prior[:, a], load(prior[:, a]) / total)


@_inlined
def _imagine(network: Any, room: Any, index: int, rows: int) -> None:
    """Step the latents that were selected, and predict what is to be node `index`."""
    size = network.size
    for r in range(rows):
        start = np.uint32(r * network.width)
        here = room.latents[np.uint32(room.trees.parent[r])]
        _copy(here, room.scratch[start : start + size])
    evaluate(network, room.scratch, room.trees.action, rows, 0)
    for r in range(rows):
        start = np.uint32(r * network.width + network.latent)
        _copy(room.scratch[start : start + size], room.latents[np.uint32(index * TILE + r)])
    read(network, room.scratch, room.leaves, rows)


@_inlined
def _copy(source: Any, target: Any) -> None:
    for i in range(len(source)):
        target[i] = source[i]


@_inlined
def _predict_roots(
    network: Any, room: Any, latents: Any, legal: Any, logs: bool, start: int, rows: int
) -> bool:
    """Evaluate roots, as a leaf is, and keep their latents. Whether all are finite numbers."""
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
    """Whole searches from the latents [first, last), some of them side by side.

    They grow in one room after the other, so that the processor's caches hold all of it.
    """
    outcome, trees, leaves = SOUND, room.trees, room.leaves
    for start in range(first, last, TILE):
        rows = min(TILE, last - start)
        if not _predict_roots(network, room, latents, legal, False, start, rows):
            return NO_ROOT
        for r in range(rows):
            _add_noise(rules, leaves.prior[r], start + r)
            _open_root(trees, leaves, r)
        for index in range(1, len(room.latents) // TILE):
            select_puct(trees, rules, rows)
            _imagine(network, room, index, rows)
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
    """As `search_puct`."""
    outcome, trees, leaves = SOUND, room.trees, room.leaves
    for start in range(first, last, TILE):
        rows = min(TILE, last - start)
        if not _predict_roots(network, room, latents, legal, True, start, rows):
            return NO_ROOT
        for r in range(rows):
            _open_root(trees, leaves, r)
        for index in range(1, len(room.latents) // TILE):
            _descend_by_gumbel(trees, rules, start, rows)
            _imagine(network, room, index, rows)
            expand_gumbel(trees, rules, index, leaves, rows)
        if not conclude_gumbel(trees, rules, found, start, rows):
            outcome = NO_PLAN
    return outcome
