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
    TURN,
    TURNED,
    block_product,
    equals,
    every,
    exponential,
    greatest,
    if_equal,
    if_greater,
    load,
    load_few,
    lowest,
    store,
    turner,
)

REGISTERS = "2f3ac0770dac370e"
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


# Of edges prior, q and visits, which a move has in this order too, before its worth.
_turn_edges = turner([4 * move + field for field in range(3) for move in range(TURNED)])
_turn_nodes = turner(range(2 * TURNED))


@_kernel
def clear(trees: Any, prior: Any, value: Any, at_chance: Any) -> None:
    """Begin trees of one node: prior [B, W'], value [B], at_chance [B] of the roots."""
    for b in range(len(value)):
        _open_root(trees, b, prior[b], value[b], at_chance[b])


@_inlined
def _open_root(trees: Any, b: int, prior: Any, value: float, at_chance: bool) -> None:
    """Begin a tree, and forget all simulations there were."""
    place = _root(trees, b)
    _open(trees, place, prior, value, at_chance)
    node = trees.nodes[place]
    node.reward, node.discount = 0.0, 0.0
    trees.low[b], trees.high[b], trees.depth[b] = np.inf, -np.inf, 0
    trees.path_length[b] = 0


@_inlined
def _root(trees: Any, b: Any) -> Any:
    """The place of a tree's root."""
    return np.uint32(b) * np.uint32(len(trees.path))


@_inlined
def expand_puct(trees: Any, index: int, leaves: Any, count: int) -> None:
    """Attach `Leaves` as node `index` of the first `count` trees, and send values up the paths."""
    for b in range(count):
        back = _attach(trees, b, index, leaves)
        low, high = trees.low[b], trees.high[b]
        for level in range(trees.path_length[b] - 1, -1, -1):
            step, child = trees.path[np.uint32(level), b], trees.path[np.uint32(level + 1), b].place
            edges, i = trees.edges[step.place, step.choice // TURNED], step.choice % TURNED
            back = _come_back(trees.nodes[step.place], trees.nodes[child], back)
            visits, q = edges.visits[i] + 1.0, edges.q[i]
            q += (back - q) / visits
            edges.visits[i], edges.q[i] = visits, q
            edges.share[i] = edges.prior[i] / (1.0 + visits)
            low, high = min(low, q), max(high, q)
        trees.low[b], trees.high[b] = low, high


@_inlined
def expand_gumbel(trees: Any, index: int, leaves: Any, count: int) -> None:
    """As `expand_puct`."""
    for b in range(count):
        back = _attach(trees, b, index, leaves)
        for level in range(trees.path_length[b] - 1, -1, -1):
            step, child = trees.path[np.uint32(level), b], trees.path[np.uint32(level + 1), b].place
            edges, i = trees.edges[step.place, step.choice // TURNED], step.choice % TURNED
            node = trees.nodes[step.place]
            back = _come_back(node, trees.nodes[child], back)
            before, prior, q = edges.visits[i], edges.prior[i], edges.q[i]
            visits = before + 1.0
            change = (back - q) / visits
            edges.visits[i], edges.q[i] = visits, q + change
            fresh = 1.0 - min(before, 1.0)
            node.mass += fresh * prior
            node.untried -= fresh
            node.weighed += prior * change


@_inlined
def _attach(trees: Any, b: int, index: int, leaves: Any) -> float:
    """Make what a model says of a leaf a node. What comes back from there."""
    length = trees.path_length[b]
    step, back = trees.path[length - 1, b], 0.0  # beyond a known end nothing comes back
    if trees.path[length, b].place == 0:
        place = _root(trees, b) + np.uint32(index)
        trees.path[length, b].place = trees.children[step.place, step.choice] = place
        back = leaves.value[b]
        _open(trees, place, leaves.prior[b], back, leaves.at_chance[b])
        node = trees.nodes[place]
        node.reward, node.discount = leaves.reward[b], leaves.discount[b]
    return back


@_inlined
def _come_back(node: Any, child: Any, back: float) -> float:
    """Count at a node what came back to a child of it. What that is to the node."""
    back = child.reward + child.discount * back
    node.visits += 1.0
    node.total += back
    return back


@_inlined
def _open(trees: Any, place: Any, prior: Any, value: float, at_chance: bool) -> None:
    """Write a node that nothing has come back to but its own value."""
    groups, node, children = trees.edges[place], trees.nodes[place], trees.children[place]
    untried, moves = 0.0, np.uint32(len(prior))
    for group in range(len(groups)):
        edges, first = groups[group], np.uint32(group * TURNED)
        for i in range(TURNED):
            edges.q[i], edges.visits[i] = 0.0, 0.0
            chance = prior[first + i] if first + i < moves else -1.0
            edges.prior[i], edges.share[i] = max(chance, 0.0), chance if chance >= 0.0 else -np.inf
            untried += chance >= 0.0
    for a in range(len(children)):
        children[a] = 0
    trees.at_chance[place] = at_chance
    node.visits, node.total, node.raw_value = 1.0, value, value
    node.untried, node.mass, node.weighed = untried, 0.0, 0.0


@_inlined
def select_puct(trees: Any, rules: Any, parent: Any, action: Any, count: int) -> None:
    """Descend the first `count` trees to edges to expand, or to known ends; write where they start.

    Trees go down a level together: what one waits for, the others have time to do. Which still do
    is kept as bits: of a list in memory, each would wait until the one before it is written down.

    parent [B], action [B] int64: what the model is to step.
    """
    for first in range(0, count, TILE):
        rows = min(TILE, count - first)
        under_way, length = _set_out(trees, first, rows), 0
        for lane in range(rows):
            _scale(trees, first + lane, lane, rules)
        while under_way > 0:
            still = _NONE
            while under_way > 0:
                lane = lowest(under_way)
                under_way &= under_way - _FIRST
                choice = _choose_by_puct(trees, lane, rules)
                still |= _follow(trees, first, lane, length, choice)
            under_way, length = still, length + 1
        _arrive(trees, first, rows, parent, action)


@_kernel
def select_gumbel(trees: Any, rules: Any, parent: Any, action: Any, count: int) -> None:
    """As `select_puct`: sequential halving at the root, below it the improved policy."""
    _descend_by_gumbel(trees, rules, 0, parent, action, count)


@_inlined
def _descend_by_gumbel(
    trees: Any, rules: Any, start: int, parent: Any, action: Any, count: int
) -> None:
    """The same; tree 0 is of row `start` of the rules."""
    for first in range(0, count, TILE):
        rows = min(TILE, count - first)
        under_way, length = _set_out(trees, first, rows), 1
        _tell(trees, rows)
        _choose_at_roots(trees, rules, start, first, rows)
        under_way = _follow_choices(trees, first, under_way, 0)
        while under_way > 0:
            _tell(trees, rows)
            _stand_beside(trees, trees.moves, rows)
            _choose_by_improved_policy(trees, rules)
            under_way = _follow_choices(trees, first, under_way, length)
            length += 1
        _arrive(trees, first, rows, parent, action)


@_inlined
def _choose_at_roots(trees: Any, rules: Any, start: int, first: int, rows: int) -> None:
    """Sequential halving."""
    moves = trees.roots[first // TILE]
    _renew_roots(trees, rules, start, first, rows)
    _choose_at_root(trees, rules, moves, _complete(trees, rules, moves))


@_inlined
def _renew_roots(trees: Any, rules: Any, start: int, first: int, rows: int) -> None:
    """Lay roots beside each other: all of them once, then the move that the last simulation made.

    And note how many visits the move has whose turn it is.
    """
    moves, told = trees.roots[first // TILE], trees.told[0]
    untouched = trees.path_length[first] == 0
    if untouched:
        _stand_beside(trees, moves, rows)
        _stand_roots(rules, moves, start + first, rows)
    for lane in range(rows):
        b, row = np.uint32(first + lane), np.uint32(start + first + lane)
        if untouched:
            legal = np.int32(told.untried[lane])
            rules.entrants[row] = min(legal, len(rules.considered) - 1)
        else:
            choice = trees.path[0, b].choice
            edges, i = trees.edges[_root(trees, b), choice // TURNED], choice % TURNED
            moves[choice].q[lane], moves[choice].visits[lane] = edges.q[i], edges.visits[i]
        visits = np.uint32(told.visits[lane]) - np.uint32(1)
        told.turn[lane] = rules.considered[rules.entrants[row], visits]


@_inlined
def _stand_roots(rules: Any, moves: Any, first: int, rows: int) -> None:
    """Write noise + log prior of roots to their lanes."""
    for lane in range(rows):
        b = np.uint32(first + lane)
        for a in range(rules.root.shape[1]):
            moves[a].worth[lane] = rules.root[b, a] if moves[a].prior[lane] > 0.0 else -np.inf


@_inlined
def _stand_beside(trees: Any, moves: Any, rows: int) -> None:
    """Lay the moves of the nodes that the trees are at beside each other."""
    size = 4 * len(moves)
    for lane in range(0, rows, TURN):
        for at in range(0, size, 4 * TURNED):
            _turn_edges(trees.edges, trees.places, lane, size, at, moves, at)


@_inlined
def _tell(trees: Any, rows: int) -> None:
    """Lay what is the same for all moves of a node beside that of others."""
    for lane in range(0, rows, TURN):
        _turn_nodes(trees.nodes, trees.places, lane, 2 * TURNED, 0, trees.told, 0)


@_inlined
def _set_out(trees: Any, first: int, rows: int) -> Any:
    """Stand at the roots. The lanes of trees that descend, as bits."""
    for lane in range(rows):
        trees.places[lane] = _root(trees, first + lane)
    return (_FIRST << np.uint64(rows)) - _FIRST


@_inlined
def _follow_choices(trees: Any, first: int, under_way: Any, length: int) -> Any:
    """Add what was chosen side by side to the paths. The lanes of trees that still descend."""
    still = _NONE
    while under_way > 0:
        lane = lowest(under_way)
        under_way &= under_way - _FIRST
        choice = np.uint32(trees.told[0].choice[lane])
        still |= _follow(trees, first, lane, length, choice)
    return still


@_inlined
def _follow(trees: Any, first: int, lane: Any, length: int, choice: Any) -> Any:
    """Add an edge to a path. The lane's bit if it leads to a node that is to be asked too."""
    b, place = np.uint64(first) + lane, trees.places[lane]
    if trees.at_chance[place]:
        choice = np.uint32(_choose_outcome(trees.edges[place]))
    child = trees.children[place, choice]
    trees.path_length[b] = length + 1
    step = trees.path[length, b]
    step.place, step.choice = place, choice
    trees.path[length + 1, b].place = child
    trees.places[lane] = child
    return np.uint64(trees.nodes[child].discount != 0.0) << lane


@_inlined
def _arrive(trees: Any, first: int, rows: int, parent: Any, action: Any) -> None:
    """Write down where the paths end."""
    for b in range(first, first + rows):
        length = trees.path_length[b]
        trees.depth[b] = max(trees.depth[b], length)
        step = trees.path[length - 1, b]
        parent[b], action[b] = step.place - _root(trees, b), step.choice


@_inlined
def _choose_outcome(groups: Any) -> int:
    """argmax_c sigma(c) / (n_c + 1): visits follow the probabilities (Stochastic MuZero)."""
    best, best_share = 0, 0.0
    for group in range(len(groups)):
        edges = groups[group]
        for i in range(TURNED):
            share = edges.prior[i] / (1.0 + edges.visits[i])
            if share > best_share:
                best, best_share = group * TURNED + i, share
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
    groups, node = trees.edges[place], trees.nodes[place]
    weight, unvisited = told.weight[lane], told.least[lane]
    if rules.unvisited == UNVISITED_PARENT:
        unvisited = node.total / node.visits
    exploration = rules.exploration[np.uint32(node.visits)] * told.span[lane]
    choice, best = _NONE, -np.inf
    for group in range(len(groups)):
        edges = groups[group]
        q = if_greater(load_few(edges.visits), 0.0, load_few(edges.q), unvisited)
        score = q * weight + load_few(edges.share) * exploration
        here = greatest(score)
        there = np.uint64(group) * np.uint64(TURNED) + lowest(equals(score, here))
        choice = there if here > best else choice
        best = here if here > best else best
    return np.uint32(choice)


@_inlined
def _choose_at_root(trees: Any, rules: Any, moves: Any, completion: Any) -> None:
    """argmax of g(a) + log P(a) + sigma(q(a)) over a root's moves that have its `turn` visits."""
    told = trees.told[0]
    missing, highest, slope, _ = completion
    its_turn, choice, best = load(told.turn), every(0.0), every(-np.inf)
    for a in range(rules.root.shape[1]):
        move = moves[a]
        visits = load(move.visits)
        q = if_greater(visits, 0.0, load(move.q), missing)
        score = load(move.worth) + slope * (q - highest)
        score = if_equal(visits, its_turn, score, -np.inf)
        choice = if_greater(score, best, a, choice)
        best = if_greater(score, best, score, best)
    store(told.choice, choice)


@_inlined
def _choose_by_improved_policy(trees: Any, rules: Any) -> None:
    """argmax_a pi'(a) - N(a) / (1 + sum_b N(b)) (Danihelka et al. 2022, section 5)."""
    told, moves = trees.told[0], trees.moves
    total = _improve(trees, moves, _complete(trees, rules, moves))
    visits = load(told.visits)
    # Above 0 is always one; moves that are not legal are not.
    choice, best = every(0.0), every(0.0)
    for a in range(trees.children.shape[1]):
        move = moves[a]
        score = load(move.worth) * visits - load(move.visits) * total  # times both totals
        choice = if_greater(score, best, a, choice)
        best = if_greater(score, best, score, best)
    store(told.choice, choice)


@_inlined
def _improve(trees: Any, moves: Any, completion: Any) -> Any:
    """Write pi' = softmax(log P + sigma(completed q)) of all moves, times the total returned."""
    missing, highest, slope, _ = completion
    total = every(0.0)
    for a in range(trees.children.shape[1]):
        move = moves[a]
        q = if_greater(load(move.visits), 0.0, load(move.q), missing)
        weight = exponential(slope * (q - highest)) * load(move.prior)
        store(move.worth, weight)
        total = total + weight
    return total


@_inlined
def _complete(trees: Any, rules: Any, moves: Any) -> Any:
    """The q of moves without visits, the greatest completed q, the slope of sigma, the most visits.

    Over the moves that may be chosen here; mctx counts illegal ones, as unvisited, in the range.

    sigma(q) = (c_visit + max_b N(b)) c_scale q / span (eq. 8); an offset of q counts for nothing.
    v_mix = (v + n sum_b P(b) q(b) / sum_b P(b)) / (1 + n), visited b, n visits (appendix D).
    """
    told = trees.told[0]
    raw_value, total = load(told.raw_value), load(told.visits) - 1.0
    # Where none is missing, what stands for illegal moves must not widen the range.
    mean = load(told.weighed) / load(told.mass)
    mixed = (raw_value + total * mean) / (total + 1.0)
    missing = if_greater(load(told.untried), 0.0, mixed, mean)
    missing = if_greater(total, 0.0, missing, raw_value)
    least, highest, most = every(np.inf), every(-np.inf), every(0.0)
    for a in range(trees.children.shape[1]):
        visits = load(moves[a].visits)
        most = if_greater(visits, most, visits, most)
        q = if_greater(visits, 0.0, load(moves[a].q), missing)
        least = if_greater(least, q, q, least)
        highest = if_greater(q, highest, q, highest)
    # Differences too small to be more than rounding are not blown up (as in mctx).
    span = highest - least
    span = if_greater(span, 1e-8, span, 1e-8)
    span = if_greater(rules.span, 0.0, rules.span, span)
    return missing, highest, (most + rules.c_visit) * rules.c_scale / span, most


@_kernel
def summarise(trees: Any, policy: Any, value: Any, q: Any, visits: Any) -> bool:
    """Of the roots: shares of the visits [B, A], value [B], q and visits [B, A].

    Whether all values are finite numbers.
    """
    finite = True
    for b in range(len(value)):
        place, total = _root(trees, b), 0.0
        node = trees.nodes[place]
        value[b] = node.total / node.visits
        for a in range(visits.shape[1]):
            edges, i = trees.edges[place, np.uint32(a) // TURNED], np.uint32(a) % TURNED
            visits[b, a] = np.int32(edges.visits[i])
            total += edges.visits[i]
            q[b, a] = edges.q[i] if edges.visits[i] > 0.0 else value[b]
        for a in range(visits.shape[1]):
            policy[b, a] = visits[b, a] / total
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
    told, moves = trees.told[0], trees.moves
    for first in range(0, len(action), TILE):
        rows = min(TILE, len(action) - first)
        _set_out(trees, first, rows)
        _tell(trees, rows)
        _stand_beside(trees, moves, rows)
        _stand_roots(rules, moves, first, rows)
        completion = _complete(trees, rules, moves)
        store(told.turn, completion[3])
        _choose_at_root(trees, rules, moves, completion)
        missing, total = completion[0], _improve(trees, moves, completion)
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
            action[first + lane] = np.int64(told.choice[lane])
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
    """To probabilities in double precision, none of them nothing."""
    prior, total = leaves.prior, every(0.0)
    for a in range(prior.shape[1]):
        chance = exponential(load(prior[:, a]))
        store(prior[:, a], chance)
        total = total + chance
    for a in range(prior.shape[1]):
        chance = load(prior[:, a]) / total
        store(prior[:, a], if_greater(chance, LEAST_PRIOR, chance, LEAST_PRIOR))


@_inlined
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
        _open_root(room.trees, r, prior[b], value[b], False)  # a dense model has no chance


@_inlined
def _take_back(roots: Any, room: Any, first: int, rows: int) -> None:
    """Keep what a search comes to: the roots and how deep it went."""
    trees = room.trees
    for r in range(rows):
        here, there = _root(trees, r), _root(roots, first + r)
        _copy(trees.edges[here], roots.edges[there])
        roots.nodes[there] = trees.nodes[here]
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
        for index in range(1, room.latents.shape[1]):
            _descend_by_gumbel(room.trees, rules, start, room.parent, room.action, rows)
            _imagine(network, room, index, rows)
            expand_gumbel(room.trees, index, room.leaves, rows)
        _take_back(roots, room, start, rows)
