"""The compiled kernels of a tree search: growth, descent, small networks, whole searches.

They stand in this one file: numba renews what it has cached when the file of a kernel changes, not
when that of a kernel called by it does. Rows of a batch never meet, so that threads can share a
batch out, and a row's result is the same in any batch.

Numba asks of every signed index whether it counts from the end. What a search reads of indices is
therefore unsigned, or so cast where nothing else tells that it is not negative; of 32 bits, for of
64 beside signed numbers numba makes floats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numba.np import arrayobj

from workbench.planning.tree.trees import GumbelRules

make_array: Any = arrayobj.make_array

NORMALISE_NONE, NORMALISE_MIN_MAX, NORMALISE_BOUNDS = 0, 1, 2
UNVISITED_ZERO, UNVISITED_PARENT = 0, 1

TILE = 16
"""Trees that one whole search grows side by side: enough to fill the registers of a product."""
LANES = 8
"""Numbers in a vector register, as the products are laid out."""
PANEL = 2 * LANES
"""Columns of a matrix that lie together."""

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
_ZERO, _ONE, _HALF, _LEAST = _f(0.0), _f(1.0), _f(0.5), _f(-np.inf)
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


@_contracted
def _exp(x: float) -> float:
    """e^x of what is at most 0, in a form that a loop can vectorise.

    e^x = 2^n e^f, f in +-ln 2 / 2, where e^f is Taylor's series to the 12th order up to 2e-16.
    """
    x = max(x, -700.0)
    shifted = x * 1.4426950408889634 + 6755399441055744.0  # 1.5 * 2^52: rounded to a whole number
    n = shifted - 6755399441055744.0
    f = x - n * 0.693147180369123816490 - n * 1.90821492927058770002e-10
    series = (1 / 479001600) * f + 1 / 39916800
    series = ((series * f + 1 / 3628800) * f + 1 / 362880) * f + 1 / 40320
    series = ((series * f + 1 / 5040) * f + 1 / 720) * f + 1 / 120
    series = ((((series * f + 1 / 24) * f + 1 / 6) * f + 0.5) * f + 1.0) * f + 1.0
    power: float = np.int64((np.float64(shifted).view(np.int64) + 1023) << 52).view(np.float64)
    return series * power


@_kernel
def clear(trees: Any, prior: Any, value: Any, at_chance: Any) -> None:
    """Begin trees of one node: prior [B, W'], value [B], at_chance [B] of the roots."""
    for b in range(len(value)):
        _open(trees, b, 0, prior[b], value[b], at_chance[b])
        _forget(trees, b)


@_inlined
def _forget(trees: Any, b: int) -> None:
    """Of all simulations there were."""
    trees.low[b], trees.high[b], trees.depth[b] = np.inf, -np.inf, 0
    trees.path_length[b] = 0


@_kernel
def expand(trees: Any, index: int, leaves: Any, count: int) -> None:
    """Attach `Leaves` as node `index` of the first `count` trees, and send values up the paths."""
    for b in range(count):
        step = trees.path[b, trees.path_length[b] - 1]
        edge = trees.edges[b, step.node, step.choice]
        back = 0.0  # beyond a known end nothing comes back
        if edge.visits == 0.0:
            edge.child = index
            edge.reward, edge.discount = leaves.reward[b], leaves.discount[b]
            back = leaves.value[b]
            _open(trees, b, index, leaves.prior[b], back, leaves.at_chance[b])
        _back_up(trees, b, back)


@_inlined
def _open(trees: Any, b: int, index: int, prior: Any, value: float, at_chance: bool) -> None:
    """Write a node that nothing has come back to but its own value."""
    edges, node = trees.edges[b, index], trees.nodes[b, index]
    likeliest, greatest, untried = 0, -np.inf, 0.0
    for a in range(len(prior)):
        edge, chance = edges[a], prior[a]
        edge.q, edge.visits, edge.fresh = 0.0, 0.0, 1.0
        edge.prior, edge.share = max(chance, 0.0), chance if chance >= 0.0 else -np.inf
        untried += chance >= 0.0
        if chance > greatest:
            likeliest, greatest = a, chance
    for a in range(len(prior), len(edges)):
        edge = edges[a]
        edge.q, edge.visits, edge.fresh = 0.0, 0.0, 1.0
        edge.prior, edge.share = 0.0, -np.inf
    # Where nothing was tried yet, whatever rule there is takes what is likeliest.
    node.choice, node.at_chance = likeliest, at_chance
    node.visits, node.total, node.raw_value = 1, value, value
    node.most, node.untried, node.mass, node.weighed = 0.0, untried, 0.0, 0.0


@_inlined
def _back_up(trees: Any, b: int, back: float) -> None:
    """Count a simulation that brought `back` on every edge and node of its path."""
    low, high = trees.low[b], trees.high[b]
    for i in range(trees.path_length[b] - 1, -1, -1):
        step = trees.path[b, np.uint32(i)]
        edge, node = trees.edges[b, step.node, step.choice], trees.nodes[b, step.node]
        back = edge.reward + edge.discount * back
        node.mass += edge.fresh * edge.prior
        node.untried -= edge.fresh
        edge.visits, edge.fresh = edge.visits + 1.0, 0.0
        change = (back - edge.q) / edge.visits
        edge.q += change
        node.weighed += edge.prior * change
        node.most = max(node.most, edge.visits)
        edge.share = edge.prior / (1.0 + edge.visits)
        low, high = min(low, edge.q), max(high, edge.q)
        node.visits += 1
        node.total += back
    trees.low[b], trees.high[b] = low, high


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
    _choose_at_roots(trees, rules, count)
    _set_out(trees, count)
    under_way, length = count, 0
    while under_way > 0:
        if length > 0:
            _choose_anew(trees, rules, under_way, length)
        still = 0
        for i in range(under_way):
            b = trees.under_way[i]
            index = trees.path[b, length].node
            trees.under_way[still] = b
            still += _follow(trees, b, index, length, trees.nodes[b, index].choice)
        under_way, length = still, length + 1
    _arrive(trees, parent, action, count)


@_inlined
def _choose_anew(trees: Any, rules: Any, under_way: int, length: int) -> None:
    """Renew the choices at the nodes that the trees have come to, if they were passed before.

    In rounds over all trees, each short enough for the processor to work on several at once.
    """
    weight, width, stale, used = trees.weight, trees.edges.shape[2], 0, 0
    for i in range(under_way):
        b = trees.under_way[i]
        trees.stale[stale] = b
        stale += trees.nodes[b, trees.path[b, length].node].visits > 1
    for i in range(stale):
        b = trees.stale[np.uint32(i)]
        index = trees.path[b, length].node
        rise = weight[used : used + width]
        _rise(trees.edges[b, index], trees.nodes[b, index], rules, rise)
        used += width
    _exponentiate(weight[:used])
    used = 0
    for i in range(stale):
        b = trees.stale[np.uint32(i)]
        index = trees.path[b, length].node
        edges, node = trees.edges[b, index], trees.nodes[b, index]
        growth = weight[used : used + width]
        if node.at_chance:
            node.choice = _choose_outcome(edges)
        else:
            node.choice = _choose_by_improved_policy(edges, node, growth)
        used += width


@_inlined
def _choose_at_roots(trees: Any, rules: Any, count: int) -> None:
    """Sequential halving."""
    for b in range(count):
        root = trees.nodes[b, 0]
        if root.at_chance:
            root.choice = _choose_outcome(trees.edges[b, 0])
        else:
            turn = rules.considered[rules.entrants[b], root.visits - 1]
            root.choice = _choose_at_root(trees.edges[b, 0], root, rules, b, turn)


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
    best, best_share = 0, -np.inf
    for c in range(len(edges)):
        if edges[c].share > best_share:
            best, best_share = c, edges[c].share
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
def _choose_at_root(edges: Any, node: Any, rules: Any, b: int, turn: float) -> int:
    """argmax of g(a) + log P(a) + sigma(q(a)) over the root's moves that have `turn` visits."""
    missing, greatest, slope = _completion(edges, node, rules)
    best, best_score = 0, -np.inf
    for a in range(rules.root.shape[1]):
        score = rules.root[b, a] + slope * (edges[a].q + edges[a].fresh * missing - greatest)
        score = score if edges[a].visits == turn else -np.inf
        if score > best_score:
            best, best_score = a, score
    return best


@_inlined
def _choose_by_improved_policy(edges: Any, node: Any, weight: Any) -> int:
    """argmax_a pi'(a) - N(a) / (1 + sum_b N(b)) (Danihelka et al. 2022, section 5)."""
    total = _improve(edges, weight)
    best, best_score = 0, 0.0  # above which is always one; illegal moves are not
    for a in range(len(edges)):
        score = weight[a] * node.visits - edges[a].visits * total  # times both totals
        if score > best_score:
            best, best_score = a, score
    return best


@_inlined
def _rise(edges: Any, node: Any, rules: Any, rise: Any) -> None:
    """Write sigma(completed q) [W], less its greatest."""
    missing, greatest, slope = _completion(edges, node, rules)
    for a in range(len(edges)):
        rise[a] = slope * (edges[a].q + edges[a].fresh * missing - greatest)


@_inlined
def _exponentiate(numbers: Any) -> None:
    """e^x of all, in their place."""
    for i in range(len(numbers)):
        numbers[i] = _exp(numbers[i])


@_inlined
def _improve(edges: Any, weight: Any) -> float:
    """From e^sigma [W] to pi' = softmax(log P + sigma(completed q)), times the total returned."""
    total = 0.0
    for a in range(len(edges)):
        weight[a] *= edges[a].prior
        total += weight[a]
    return total


@_inlined
def _completion(edges: Any, node: Any, rules: Any) -> tuple[float, float, float]:
    """The q of moves without visits, the greatest completed q, and the slope of sigma.

    Over the moves that may be chosen here; mctx counts illegal ones, as unvisited, in the range.

    sigma(q) = (c_visit + max_b N(b)) c_scale q / span (eq. 8); an offset of q counts for nothing.
    v_mix = (v + n sum_b P(b) q(b) / sum_b P(b)) / (1 + n), visited b, n visits (appendix D).
    """
    missing, total = node.raw_value, node.visits - 1
    if total > 0:
        # Where none is missing, what stands for illegal moves must not widen the range.
        mean = node.weighed / node.mass
        missing = (missing + total * mean) / (1.0 + total) if node.untried > 0.0 else mean
    least, greatest = np.inf, -np.inf
    for a in range(len(edges)):
        q = edges[a].q + edges[a].fresh * missing
        least, greatest = min(least, q), max(greatest, q)
    # Differences too small to be more than rounding are not blown up (as in mctx).
    span = rules.span if rules.span > 0.0 else max(greatest - least, 1e-8)
    return missing, greatest, (rules.c_visit + node.most) * rules.c_scale / span


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
def conclude_gumbel(trees: Any, rules: Any, policy: Any, q: Any, action: Any) -> bool:
    """What a search comes to: pi' [B, A] at the root, completed q [B, A], the move [B].

    Whether all of pi' are finite numbers.
    """
    finite = True
    for b in range(action.shape[0]):
        edges, node, weight = (
            trees.edges[b, 0],
            trees.nodes[b, 0],
            trees.weight[: trees.edges.shape[2]],
        )
        _rise(edges, node, rules, weight)
        _exponentiate(weight)
        total, most = _improve(edges, weight), 0.0
        for a in range(policy.shape[1]):
            policy[b, a], most = weight[a] / total, max(most, edges[a].visits)
            finite &= np.isfinite(policy[b, a])
        action[b] = _choose_at_root(edges, node, rules, b, most)
        missing, _, _ = _completion(edges, node, rules)
        for a in range(policy.shape[1]):
            q[b, a] = edges[a].q + edges[a].fresh * missing
    return finite


def _block_product(rows: int, panels: int) -> Any:
    """A product of `rows` rows with `panels` panels that stays in registers.

    product(x, x_at, x_stride, w, w_at, k, b, b_at, b_stride, y, y_at, y_stride, least): for every
    row r and column c, Y[r, c] = max(B[r, c] + sum_i X[r, i] W[panel of c, i], least), where row r
    of X begins at x[x_at + r x_stride], and those of B and Y likewise.
    The inputs k are at least 1. numba's own loops keep sums in memory and take twice as long.
    """
    register, word = ir.VectorType(ir.FloatType(), LANES), ir.IntType(64)
    columns = [(panel, half) for panel in range(panels) for half in range(PANEL // LANES)]

    def spread(builder: Any, number: Any) -> Any:
        """The same number in every lane."""
        nothing = ir.Constant(register, ir.Undefined)
        one = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
        first = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(one, nothing, first)

    def place(builder: Any, data: Any, start: Any, steps: Any, stride: Any, offset: Any) -> Any:
        """data + start + steps * stride + offset, as a place of a vector."""
        at = builder.add(builder.add(start, builder.mul(steps, stride)), offset)
        return builder.bitcast(builder.gep(data, [at]), register.as_pointer())

    def read(builder: Any, pointer: Any) -> Any:
        loaded = builder.load(pointer)
        loaded.align = 4
        return loaded

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, x_at, x_stride, w, w_at, k, b, b_at, b_stride, y, y_at, y_stride, least = arguments
        x, w, b, y = (
            make_array(kind)(context, builder, array).data
            for kind, array in zip(signature.args[::3], (x, w, b, y), strict=False)
        )
        number = [ir.Constant(word, n) for n in range(max(rows, panels, PANEL) + 1)]
        begins, targets = (
            [
                place(
                    builder, data, at, number[r], stride, ir.Constant(word, p * PANEL + h * LANES)
                )
                for r in range(rows)
                for p, h in columns
            ]
            for data, at, stride in ((b, b_at, b_stride), (y, y_at, y_stride))
        )
        before, loop = builder.block, builder.append_basic_block("inputs")
        begun = [read(builder, begin) for begin in begins]
        builder.branch(loop)
        builder.position_at_end(loop)
        i = builder.phi(word)
        i.add_incoming(number[0], before)
        sums = [builder.phi(register) for _ in targets]
        deep = builder.mul(i, number[PANEL])
        panel_size = builder.mul(k, number[PANEL])
        weights = [
            read(builder, place(builder, w, builder.add(w_at, deep), number[p], panel_size, at))
            for p, h in columns
            for at in [ir.Constant(word, h * LANES)]
        ]
        grown = []
        for r in range(rows):
            at = builder.add(builder.add(x_at, i), builder.mul(number[r], x_stride))
            factor = spread(builder, builder.load(builder.gep(x, [at])))
            for c, weight in enumerate(weights):
                part = builder.fmul(factor, weight, flags=("contract",))
                grown.append(builder.fadd(part, sums[r * len(columns) + c], flags=("contract",)))
        following = builder.add(i, number[1])
        i.add_incoming(following, loop)
        for total, begin, then in zip(sums, begun, grown, strict=True):
            total.add_incoming(begin, before)
            total.add_incoming(then, loop)
        after = builder.append_basic_block("after")
        builder.cbranch(builder.icmp_signed("<", following, k), loop, after)
        builder.position_at_end(after)
        floor = spread(builder, least)
        for total, target in zip(grown, targets, strict=True):
            less = builder.fcmp_ordered("<", total, floor)  # what is no number stays
            builder.store(builder.select(less, floor, total), target).align = 4
        return context.get_dummy_value()

    @intrinsic
    def product(
        context: Any,
        x: Any,
        x_at: Any,
        x_stride: Any,
        w: Any,
        w_at: Any,
        k: Any,
        b: Any,
        b_at: Any,
        b_stride: Any,
        y: Any,
        y_at: Any,
        y_stride: Any,
        least: Any,
    ) -> Any:
        at = types.intp
        return types.void(x, at, at, w, at, at, b, at, at, y, at, at, types.float32), generate

    return product


_four_rows, _four_panels, _one_panel = (
    _block_product(4, 1),
    _block_product(1, 4),
    _block_product(1, 1),
)


@_kernel
def lay_out_columns(weight: Any, panels: Any, at: int, column: int) -> None:
    """Copy a layer's weight [out, in] to the columns from `column` of the panels that begin at."""
    outputs, inputs = weight.shape
    for o in range(outputs):
        c = column + o
        start = at + c // PANEL * inputs * PANEL + c % PANEL
        for i in range(inputs):
            panels[start + i * PANEL] = weight[o, i]


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
        _read_prior(scratch[at : at + leaves.prior.shape[1]], leaves.prior[r])


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
            _read_prior(logits, prior[b])
            for a in range(len(logits)):
                if not legal[b, a]:
                    prior[b, a] = -1.0
    return finite


@_inlined
def _read_prior(logits: Any, prior: Any) -> None:
    """Probabilities in double precision, none of them nothing."""
    most, total = _LEAST, 0.0
    for a in range(len(prior)):
        most = max(most, logits[a])
    for a in range(len(prior)):
        prior[a] = logits[a] - most
    _exponentiate(prior)
    for a in range(len(prior)):
        total += prior[a]
    for a in range(len(prior)):
        prior[a] = max(prior[a] / total, LEAST_PRIOR)


@_kernel
def _imagine(network: Any, room: Any, index: int, rows: int) -> None:
    """Step the latents that were selected, and attach what comes of it as node `index`."""
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
    expand(room.trees, index, room.leaves, rows)


@_inlined
def _copy(source: Any, target: Any) -> None:
    for i in range(len(source)):
        target[i] = source[i]


@_inlined
def _bring(roots: Any, latents: Any, room: Any, first: int, rows: int) -> None:
    """Begin trees in a thread's own room, from some of the roots."""
    trees = room.trees
    for r in range(rows):
        _copy(latents[first + r], room.latents[r, 0])
        _copy(roots.edges[first + r, 0], trees.edges[r, 0])
        trees.nodes[r, 0] = roots.nodes[first + r, 0]
        _forget(trees, r)


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
    roots: Any, rules: Any, network: Any, room: Any, latents: Any, first: int, last: int
) -> None:
    """All simulations of the trees [first, last), some of them side by side.

    They grow in one room after the other, so that the processor's caches hold all of it: of `roots`
    no more than node 0 is read and written.
    """
    for start in range(first, last, TILE):
        rows = min(TILE, last - start)
        _bring(roots, latents, room, start, rows)
        for index in range(1, room.latents.shape[1]):
            select_puct(room.trees, rules, room.parent, room.action, rows)
            _imagine(network, room, index, rows)
        _take_back(roots, room, start, rows)


@_kernel
def grow_gumbel(
    roots: Any, rules: Any, network: Any, room: Any, latents: Any, first: int, last: int
) -> None:
    """As `grow_puct`."""
    for start in range(first, last, TILE):
        rows = min(TILE, last - start)
        _bring(roots, latents, room, start, rows)
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
        _take_back(roots, room, start, rows)
