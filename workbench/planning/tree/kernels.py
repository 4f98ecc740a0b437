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

from workbench.planning.tree.registers import (
    PANEL,
    TILE,
    block_product,
    every,
    exponential,
    if_equal,
    if_greater,
    load,
    store,
)
from workbench.planning.tree.trees import GumbelRules

REGISTERS = "d98ddf7257745b2b"
"""The digest of `registers.py`: where that changes so does this file, and what is cached of it."""

NORMALISE_NONE, NORMALISE_MIN_MAX, NORMALISE_BOUNDS = 0, 1, 2
UNVISITED_ZERO, UNVISITED_PARENT = 0, 1

PRODUCT, MIN_MAX, LAYER_NORM, L2 = 0, 1, 2, 3
PLAIN, H, SYMLOG = 0, 1, 2

LEAST_PRIOR = 1e-200
"""So that every move has a finite log prior, however far behind its logit is."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(**options: Any) -> Callable[[_Function], _Function]:
    """numba's decorator, without its atomic counts of the references to every array touched.

    They took a third of a search. What is compiled so cannot allocate arrays.
    """
    settings = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
    decorator: Callable[[_Function], _Function] = cast(Any, njit)(**settings, **options)
    return decorator


_kernel = _compiled()
_inlined = _compiled(inline="always")  # as a call, a kernel would pass all trees on, word by word
_contracted = _compiled(fastmath={"contract"})
_reordered = _compiled(fastmath={"contract", "reassoc"})
_unordered = _compiled(fastmath={"nnan", "nsz"})

_f = np.float32
_ZERO, _ONE, _LEAST = _f(0.0), _f(1.0), _f(-np.inf)
_LOG2E, _LN2_HIGH, _LN2_LOW = _f(1.44269504088896341), _f(0.693359375), _f(-2.12194440e-4)
_E1, _E2, _E3 = _f(1.9875691500e-4), _f(1.3981999507e-3), _f(8.3334519073e-3)
_E4, _E5, _E6 = _f(4.1665795894e-2), _f(1.6666665459e-1), _f(5.0000001201e-1)
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


@_kernel
def clear(trees: Any, prior: Any, value: Any, at_chance: Any) -> None:
    """Begin trees of one node: prior [B, W'], value [B], at_chance [B] of the roots."""
    for b in range(len(value)):
        _open(trees, b, 0, prior[b], 0, value[b], at_chance[b])
        _forget(trees, b)


@_inlined
def _forget(trees: Any, b: int) -> None:
    """Of all simulations there were."""
    trees.low[b], trees.high[b], trees.depth[b] = np.inf, -np.inf, 0
    trees.path_length[b] = 0


@_kernel
def expand_puct(trees: Any, index: int, leaves: Any, count: int) -> None:
    """Attach `Leaves` as node `index` of the first `count` trees, and send values up the paths."""
    for b in range(count):
        back = _attach(trees, b, index, leaves)
        low, high = trees.low[b], trees.high[b]
        for i in range(trees.path_length[b] - 1, -1, -1):
            step = trees.path[b, np.uint32(i)]
            edge, node = trees.edges[b, step.node, step.choice], trees.nodes[b, step.node]
            back, _ = _count(edge, node, back)
            edge.share, edge.fresh = edge.prior / (1.0 + edge.visits), 0.0
            low, high = min(low, edge.q), max(high, edge.q)
        trees.low[b], trees.high[b] = low, high


@_kernel
def expand_gumbel(trees: Any, index: int, leaves: Any, count: int) -> None:
    """As `expand_puct`."""
    for b in range(count):
        back = _attach(trees, b, index, leaves)
        for i in range(trees.path_length[b] - 1, -1, -1):
            step = trees.path[b, np.uint32(i)]
            edge, node = trees.edges[b, step.node, step.choice], trees.nodes[b, step.node]
            fresh = 1.0 - min(edge.visits, 1.0)
            node.mass += fresh * edge.prior
            node.untried -= fresh
            back, change = _count(edge, node, back)
            node.weighed += edge.prior * change
            node.most = max(node.most, edge.visits)


@_inlined
def _attach(trees: Any, b: int, index: int, leaves: Any) -> float:
    """Make what a model says of a leaf a node. What comes back from there."""
    step = trees.path[b, trees.path_length[b] - 1]
    edge = trees.edges[b, step.node, step.choice]
    back = 0.0  # beyond a known end nothing comes back
    if edge.visits == 0.0:
        edge.child = index
        edge.reward, edge.discount = leaves.reward[b], leaves.discount[b]
        back = leaves.value[b]
        likeliest = np.uint32(leaves.likeliest[b])
        _open(trees, b, index, leaves.prior[b], likeliest, back, leaves.at_chance[b])
    return back


@_inlined
def _count(edge: Any, node: Any, back: float) -> tuple[float, float]:
    """Count that `back` came back to an edge. What that is to its node, and how much q changed."""
    back = edge.reward + edge.discount * back
    edge.visits += 1.0
    change = (back - edge.q) / edge.visits
    edge.q += change
    node.visits += 1
    node.total += back
    return back, change


@_inlined
def _open(
    trees: Any, b: int, index: int, prior: Any, likeliest: Any, value: float, at_chance: bool
) -> None:
    """Write a node that nothing has come back to but its own value."""
    edges, node = trees.edges[b, index], trees.nodes[b, index]
    untried = 0.0
    for a in range(len(prior)):
        edge, chance = edges[a], prior[a]
        edge.q, edge.visits, edge.fresh = 0.0, 0.0, 1.0
        edge.prior, edge.share = max(chance, 0.0), chance if chance >= 0.0 else -np.inf
        untried += chance >= 0.0
    for a in range(len(prior), len(edges)):
        edge = edges[a]
        edge.q, edge.visits, edge.fresh = 0.0, 0.0, 1.0
        edge.prior, edge.share = 0.0, -np.inf
    # Where nothing was tried yet, whatever rule there is takes what is likeliest.
    node.choice, node.at_chance = likeliest, at_chance
    node.visits, node.total, node.raw_value = 1, value, value
    node.most, node.untried, node.mass, node.weighed = 0.0, untried, 0.0, 0.0


@_kernel
def select_puct(trees: Any, rules: Any, parent: Any, action: Any, count: int) -> None:
    """Descend the first `count` trees to edges to expand, or to known ends; write where they start.

    All trees go down a level at a time: what one waits for, the others have time to do.

    parent [B], action [B] int64: what the model is to step.
    """
    for b in range(count):
        _scale(trees, b, rules)
    _set_out(trees, count)
    under_way, length = count, 0
    while under_way > 0:
        still = 0
        for i in range(under_way):
            b = trees.under_way[i]
            index = trees.path[b, length].node
            edges, node = trees.edges[b, index], trees.nodes[b, index]
            if node.at_chance:
                choice = _choose_outcome(edges)
            else:
                choice = _choose_by_puct(trees, b, edges, node, rules)
            trees.under_way[still] = b
            still += _follow(trees, b, index, length, choice)
        under_way, length = still, length + 1
    _arrive(trees, parent, action, count)


@_kernel
def select_gumbel(trees: Any, rules: Any, parent: Any, action: Any, count: int) -> None:
    """As `select_puct`: sequential halving at the root, below it the improved policy."""
    _set_out(trees, count)
    under_way, length = count, 0
    while under_way > 0:
        if length == 0:
            _choose_at_roots(trees, rules, count)
        else:
            _choose_below(trees, rules, under_way, length)
        still = 0
        for i in range(under_way):
            b = trees.under_way[i]
            step = trees.path[b, length]
            trees.under_way[still] = b
            still += _follow(trees, b, step.node, length, step.choice)
        under_way, length = still, length + 1
    _arrive(trees, parent, action, count)


@_inlined
def _choose_at_roots(trees: Any, rules: Any, count: int) -> None:
    """Sequential halving."""
    for group in range(-(-count // TILE)):
        first, moves = group * TILE, trees.roots[group]
        rows = min(TILE, count - first)
        for lane in range(rows):
            b = np.uint32(first + lane)
            root = trees.nodes[b, 0]
            _renew_root(trees, rules, moves, b, lane)
            _tell_of(trees, root, lane)
            trees.beside[0].turn[lane] = rules.considered[rules.entrants[b], root.visits - 1]
        _choose_at_root(trees, rules, moves, _complete(trees, rules, moves))
        for lane in range(rows):
            b = np.uint32(first + lane)
            choice = np.uint32(trees.beside[0].choice[lane])
            if trees.nodes[b, 0].at_chance:
                choice = np.uint32(_choose_outcome(trees.edges[b, 0]))
            trees.path[b, 0].choice = choice


@_inlined
def _choose_below(trees: Any, rules: Any, under_way: int, length: int) -> None:
    """At the nodes that the trees have come to; what was not passed before has its choice."""
    stale = 0
    for i in range(under_way):
        b = trees.under_way[i]
        index = trees.path[b, length].node
        node = trees.nodes[b, index]
        choice = node.choice
        if node.at_chance:
            choice = np.uint32(_choose_outcome(trees.edges[b, index]))
        trees.path[b, length].choice = choice
        trees.stale[stale] = b
        stale += (node.visits > 1) & (not node.at_chance)
    for first in range(0, stale, TILE):
        count = min(TILE, stale - first)
        for lane in range(count):
            b = trees.stale[np.uint32(first + lane)]
            index = trees.path[b, length].node
            _stand_beside(trees.moves, trees.edges[b, index], lane)
            _tell_of(trees, trees.nodes[b, index], lane)
        _choose_by_improved_policy(trees, rules)
        for lane in range(count):
            b = trees.stale[np.uint32(first + lane)]
            trees.path[b, length].choice = np.uint32(trees.beside[0].choice[lane])


@_inlined
def _renew_root(trees: Any, rules: Any, moves: Any, b: Any, lane: int) -> None:
    """Lay a root beside others: all of it once, then the move that the last simulation made."""
    edges = trees.edges[b, 0]
    if trees.path_length[b] == 0:
        _stand_root_beside(moves, edges, rules, b, lane)
        legal = np.int32(trees.nodes[b, 0].untried)
        rules.entrants[b] = min(legal, len(rules.considered) - 1)
    else:
        choice = trees.path[b, 0].choice
        moves[choice].q[lane], moves[choice].visits[lane] = edges[choice].q, edges[choice].visits


@_inlined
def _stand_root_beside(moves: Any, edges: Any, rules: Any, b: Any, lane: int) -> None:
    """Lay the moves of a root beside those of others, with noise + log prior."""
    _stand_beside(moves, edges, lane)
    for a in range(rules.root.shape[1]):
        moves[a].worth[lane] = rules.root[b, a] if edges[a].prior > 0.0 else -np.inf


@_inlined
def _stand_beside(moves: Any, edges: Any, lane: int) -> None:
    """Lay the moves of a node beside those of others."""
    for a in range(len(edges)):
        edge, move = edges[a], moves[a]
        move.q[lane], move.visits[lane], move.prior[lane] = edge.q, edge.visits, edge.prior


@_inlined
def _tell_of(trees: Any, node: Any, lane: int) -> None:
    """Lay what is the same for all moves of a node beside that of others."""
    beside = trees.beside[0]
    beside.raw_value[lane], beside.mass[lane] = node.raw_value, node.mass
    beside.weighed[lane], beside.most[lane] = node.weighed, node.most
    beside.untried[lane], beside.visits[lane] = node.untried, node.visits


@_inlined
def _set_out(trees: Any, count: int) -> None:
    """Stand at the roots."""
    for b in range(count):
        trees.under_way[b], trees.path[b, 0].node = b, 0


@_inlined
def _follow(trees: Any, b: int, index: int, length: int, choice: int) -> bool:
    """Add an edge to the path. Whether it leads to a node whose edges are to be looked at."""
    edge = trees.edges[b, index, choice]
    trees.path_length[b] = length + 1
    trees.path[b, length].choice, trees.path[b, length + 1].node = choice, edge.child
    going: bool = (edge.visits > 0.0) & (edge.discount != 0.0)  # `and` would be a branch
    return going


@_inlined
def _arrive(trees: Any, parent: Any, action: Any, count: int) -> None:
    """Write down where the paths end."""
    for b in range(count):
        length = trees.path_length[b]
        trees.depth[b] = max(trees.depth[b], length)
        parent[b], action[b] = trees.path[b, length - 1].node, trees.path[b, length - 1].choice


@_inlined
def _choose_outcome(edges: Any) -> int:
    """argmax_c sigma(c) / (n_c + 1): visits follow the probabilities (Stochastic MuZero)."""
    best, best_share = 0, 0.0
    for c in range(len(edges)):
        share = edges[c].prior / (1.0 + edges[c].visits)
        if share > best_share:
            best, best_share = c, share
    return best


@_inlined
def _scale(trees: Any, b: int, rules: Any) -> None:
    """Note how q is scaled in the tree's next descent."""
    least, span = 0.0, 1.0
    if rules.normalise == NORMALISE_MIN_MAX:
        least, span = trees.low[b], trees.high[b] - trees.low[b]
    elif rules.normalise == NORMALISE_BOUNDS:
        least, span = rules.low, rules.high - rules.low
    scale = trees.scale[b]
    scale.weight, scale.span, scale.least = 1.0, span, least
    # Before two different q are known there is nothing to scale: all count as the least.
    if not 0.0 < span < np.inf:
        scale.weight, scale.span, scale.least = 0.0, 1.0, 0.0


@_inlined
def _choose_by_puct(trees: Any, b: int, edges: Any, node: Any, rules: Any) -> int:
    """argmax_a Q + P * exploration / (1 + n_a), Q scaled as the rules say (MuZero, eq. 2, 5).

    All times the span, and without what is the same for all moves.
    """
    scale = trees.scale[b]
    unvisited = scale.least
    if rules.unvisited == UNVISITED_PARENT:
        unvisited = node.total / node.visits
    exploration = rules.exploration[node.visits] * scale.span
    best, best_score = 0, -np.inf
    for a in range(len(edges)):
        edge = edges[a]
        q = edge.q + edge.fresh * unvisited
        score = q * scale.weight + edge.share * exploration
        if score > best_score:
            best, best_score = a, score
    return best


@_inlined
def _choose_at_root(trees: Any, rules: Any, moves: Any, completion: Any) -> None:
    """argmax of g(a) + log P(a) + sigma(q(a)) over a root's moves that have its `turn` visits."""
    beside = trees.beside[0]
    missing, greatest, slope = completion
    turn, choice, best = load(beside.turn), every(0.0), every(-np.inf)
    for a in range(rules.root.shape[1]):
        move = moves[a]
        visits = load(move.visits)
        q = if_greater(visits, 0.0, load(move.q), missing)
        score = load(move.worth) + slope * (q - greatest)
        score = if_equal(visits, turn, score, -np.inf)
        choice = if_greater(score, best, a, choice)
        best = if_greater(score, best, score, best)
    store(beside.choice, choice)


@_inlined
def _choose_by_improved_policy(trees: Any, rules: Any) -> None:
    """argmax_a pi'(a) - N(a) / (1 + sum_b N(b)) (Danihelka et al. 2022, section 5)."""
    beside = trees.beside[0]
    total = _improve(trees.moves, _complete(trees, rules, trees.moves))
    visits = load(beside.visits)
    # Above 0 is always one; moves that are not legal are not.
    choice, best = every(0.0), every(0.0)
    for a in range(len(trees.moves)):
        move = trees.moves[a]
        score = load(move.worth) * visits - load(move.visits) * total  # times both totals
        choice = if_greater(score, best, a, choice)
        best = if_greater(score, best, score, best)
    store(beside.choice, choice)


@_inlined
def _improve(moves: Any, completion: Any) -> Any:
    """Write pi' = softmax(log P + sigma(completed q)) of all moves, times the total returned."""
    missing, greatest, slope = completion
    total = every(0.0)
    for a in range(len(moves)):
        move = moves[a]
        q = if_greater(load(move.visits), 0.0, load(move.q), missing)
        weight = exponential(slope * (q - greatest)) * load(move.prior)
        store(move.worth, weight)
        total = total + weight
    return total


@_inlined
def _complete(trees: Any, rules: Any, moves: Any) -> Any:
    """The q of moves without visits, the greatest completed q, and the slope of sigma.

    Over the moves that may be chosen here; mctx counts illegal ones, as unvisited, in the range.

    sigma(q) = (c_visit + max_b N(b)) c_scale q / span (eq. 8); an offset of q counts for nothing.
    v_mix = (v + n sum_b P(b) q(b) / sum_b P(b)) / (1 + n), visited b, n visits (appendix D).
    """
    beside = trees.beside[0]
    raw_value, total = load(beside.raw_value), load(beside.visits) - 1.0
    # Where none is missing, what stands for illegal moves must not widen the range.
    mean = load(beside.weighed) / load(beside.mass)
    mixed = (raw_value + total * mean) / (total + 1.0)
    missing = if_greater(load(beside.untried), 0.0, mixed, mean)
    missing = if_greater(total, 0.0, missing, raw_value)
    least, greatest = every(np.inf), every(-np.inf)
    for a in range(len(moves)):
        move = moves[a]
        q = if_greater(load(move.visits), 0.0, load(move.q), missing)
        least = if_greater(least, q, q, least)
        greatest = if_greater(q, greatest, q, greatest)
    # Differences too small to be more than rounding are not blown up (as in mctx).
    span = greatest - least
    span = if_greater(span, 1e-8, span, 1e-8)
    span = if_greater(rules.span, 0.0, rules.span, span)
    return missing, greatest, (load(beside.most) + rules.c_visit) * rules.c_scale / span


@_kernel
def summarise(trees: Any, policy: Any, value: Any, q: Any, visits: Any) -> bool:
    """Of the roots: shares of the visits [B, A], value [B], q and visits [B, A].

    Whether all values are finite numbers.
    """
    finite = True
    for b in range(len(value)):
        edges, node, total = trees.edges[b, 0], trees.nodes[b, 0], 0.0
        value[b] = node.total / node.visits
        for a in range(visits.shape[1]):
            visits[b, a] = np.int32(edges[a].visits)
            total += edges[a].visits
            q[b, a] = edges[a].q if edges[a].visits > 0.0 else node.total / node.visits
        for a in range(visits.shape[1]):
            policy[b, a] = edges[a].visits / total
        finite &= np.isfinite(value[b])
    return finite


@_kernel
def conclude_gumbel(
    trees: Any,
    rules: Any,
    improved: bool,
    policy: Any,
    value: Any,
    q: Any,
    visits: Any,
    action: Any,
) -> bool:
    """As `summarise`, with completed q, the move [B], and if it is to be `improved`, pi' [B, A].

    Whether all of value and pi' are finite numbers.
    """
    finite = summarise(trees, policy, value, q, visits)
    beside, moves = trees.beside[0], trees.moves
    for first in range(0, len(action), TILE):
        rows = min(TILE, len(action) - first)
        for lane in range(rows):
            b = np.uint32(first + lane)
            root = trees.nodes[b, 0]
            _stand_root_beside(moves, trees.edges[b, 0], rules, b, lane)
            _tell_of(trees, root, lane)
            beside.turn[lane] = root.most
        completion = _complete(trees, rules, moves)
        _choose_at_root(trees, rules, moves, completion)
        missing, total = completion[0], _improve(moves, completion)
        for a in range(policy.shape[1]):
            move = moves[a]
            store(move.q, if_greater(load(move.visits), 0.0, load(move.q), missing))
            store(move.worth, load(move.worth) / total)
            for lane in range(rows):
                q[first + lane, a] = move.q[lane]
                finite &= np.isfinite(move.worth[lane])
                if improved:
                    policy[first + lane, a] = move.worth[lane]
        for lane in range(rows):
            action[first + lane] = np.int64(beside.choice[lane])
    return finite


_four_rows, _four_panels, _one_panel = (
    block_product(4, 1),
    block_product(1, 4),
    block_product(1, 1),
)


@_kernel
def lay_out(network: Any, places: Any, weights: Any, offsets: Any, by_action: Any) -> None:
    """Copy the layers of a model to where a network has them.

    places [layers, 4]: where its panels begin, the first of its columns, where its offsets begin,
    columns of its offsets; weights [out, in], offsets [out], by_action [A or 0, out] by layer.
    """
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
        _read_logits(scratch[at : at + leaves.prior.shape[1]], leaves.prior, r)
    _soften_logits(leaves)


@_kernel
def predict(network: Any, room: Any, latents: Any, legal: Any, prior: Any, value: Any) -> bool:
    """Of latents [B, size]: probabilities of the legal moves [B, A], -1 for the others, value [B].

    Whether all logits and values are finite numbers.
    """
    finite = True
    for first in range(0, len(value), TILE):
        rows = min(TILE, len(value) - first)
        for r in range(rows):
            start = r * network.width + network.latent
            _copy(latents[first + r], room.scratch[start : start + network.size])
        evaluate(network, room.scratch, room.no_action, rows, network.heads)
        for r in range(rows):
            b, start = first + r, r * network.width
            value[b] = _read_scalar(network, 0, room.scratch, start)
            at = start + network.policy
            logits = room.scratch[at : at + prior.shape[1]]
            finite &= np.isfinite(value[b])
            for a in range(len(logits)):
                finite &= np.isfinite(logits[a])
                if not legal[b, a]:
                    logits[a] = _LEAST
            _read_logits(logits, room.leaves.prior, r)
        _soften_logits(room.leaves)
        for r in range(rows):
            for a in range(prior.shape[1]):
                prior[first + r, a] = room.leaves.prior[r, a] if legal[first + r, a] else -1.0
    return finite


@_inlined
def _read_logits(logits: Any, prior: Any, lane: int) -> None:
    """Write logits, less their greatest, to a lane of the priors."""
    most = _LEAST
    for a in range(len(logits)):
        most = max(most, logits[a])
    for a in range(len(logits)):
        prior[lane, a] = logits[a] - most


@_inlined
def _soften_logits(leaves: Any) -> None:
    """To probabilities in double precision, none of them nothing, and which is the greatest."""
    prior, total = leaves.prior, every(0.0)
    for a in range(prior.shape[1]):
        chance = exponential(load(prior[:, a]))
        store(prior[:, a], chance)
        total = total + chance
    likeliest, greatest = every(0.0), every(0.0)
    for a in range(prior.shape[1]):
        chance = load(prior[:, a]) / total
        chance = if_greater(chance, LEAST_PRIOR, chance, LEAST_PRIOR)
        store(prior[:, a], chance)
        likeliest = if_greater(chance, greatest, a, likeliest)
        greatest = if_greater(chance, greatest, chance, greatest)
    store(leaves.likeliest, likeliest)


@_kernel
def _imagine(network: Any, room: Any, index: int, rows: int) -> None:
    """Step the latents that were selected, and predict what is to be node `index`."""
    size = network.size
    for r in range(rows):
        start = np.uint32(r * network.width)
        here = room.latents[r, np.uint32(room.parent[r])]
        _copy(here, room.scratch[start : start + size])
    evaluate(network, room.scratch, room.action, rows, 0)
    for r in range(rows):
        start = np.uint32(r * network.width + network.latent)
        _copy(room.scratch[start : start + size], room.latents[r, np.uint32(index)])
    read(network, room.scratch, room.leaves, rows)


@_inlined
def _copy(source: Any, target: Any) -> None:
    for i in range(len(source)):
        target[i] = source[i]


@_inlined
def _begin_trees(room: Any, latents: Any, prior: Any, value: Any, first: int, rows: int) -> None:
    """Trees of one node in a thread's own room, of some of the roots."""
    for r in range(rows):
        b = first + r
        _copy(latents[b], room.latents[r, 0])
        _open(room.trees, r, 0, prior[b], 0, value[b], False)  # a dense model has no chance
        _forget(room.trees, r)


@_inlined
def _take_back(roots: Any, room: Any, first: int, rows: int) -> None:
    """Keep what a search comes to: the roots and how deep it went."""
    trees = room.trees
    for r in range(rows):
        _copy(trees.edges[r, 0], roots.edges[first + r, 0])
        roots.nodes[first + r, 0] = trees.nodes[r, 0]
        roots.depth[first + r] = trees.depth[r]


@_kernel
def grow_puct(
    roots: Any,
    rules: Any,
    network: Any,
    room: Any,
    latents: Any,
    prior: Any,
    value: Any,
    first: int,
    last: int,
) -> None:
    """All simulations of the trees [first, last), some of them side by side.

    They grow in one room after the other, so that the processor's caches hold all of it: of `roots`
    no more than node 0 is written.
    """
    for start in range(first, last, TILE):
        rows = min(TILE, last - start)
        _begin_trees(room, latents, prior, value, start, rows)
        for index in range(1, room.latents.shape[1]):
            select_puct(room.trees, rules, room.parent, room.action, rows)
            _imagine(network, room, index, rows)
            expand_puct(room.trees, index, room.leaves, rows)
        _take_back(roots, room, start, rows)


@_kernel
def grow_gumbel(
    roots: Any,
    rules: Any,
    network: Any,
    room: Any,
    latents: Any,
    prior: Any,
    value: Any,
    first: int,
    last: int,
) -> None:
    """As `grow_puct`."""
    for start in range(first, last, TILE):
        rows = min(TILE, last - start)
        _begin_trees(room, latents, prior, value, start, rows)
        of_rows = GumbelRules(
            rules.root[start : start + rows],
            rules.considered,
            rules.entrants[start : start + rows],
            rules.c_visit,
            rules.c_scale,
            rules.span,
        )
        for index in range(1, room.latents.shape[1]):
            select_gumbel(room.trees, of_rows, room.parent, room.action, rows)
            _imagine(network, room, index, rows)
            expand_gumbel(room.trees, index, room.leaves, rows)
        _take_back(roots, room, start, rows)
