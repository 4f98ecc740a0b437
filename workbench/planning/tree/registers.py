"""What is written for the processor's vector registers: numbers side by side, and products.

Of a loop LLVM makes vectors where it finds that it may, and that it pays. Here nothing is left to
it: there is a type for the numbers of all trees that are grown side by side, a lane each, and one
for four edges of a node, and kernels calculate with both as with numbers; records are laid beside
each other by whole registers; and there are products whose sums stay in registers.

Numba keeps what it has compiled of a kernel while the kernel's own file is the same. Whoever
changes this one writes its new digest into `kernels.REGISTERS`; a test asks for it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from math import factorial
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, overload, register_jitable, register_model
from numba.np import arrayobj

TILE = 16
"""Trees that one whole search grows side by side: enough to fill the registers of a product."""
LANES = 8
"""Numbers in single precision in a vector register, as the products are laid out."""
PANEL = 2 * LANES
"""Columns of a matrix that lie together."""
TURN, TURNED = 8, 4
"""Records that are laid beside each other at once, and how many numbers of each: so many edges of a
node lie together too."""

_TAYLOR = tuple(1 / factorial(order) for order in range(12, -1, -1))

make_array: Any = arrayobj.make_array
_as_register: Any = models.PrimitiveModel
_operands: Any = types.StarArgTuple


class _Side(types.Type):
    """The type of so many numbers that lie side by side in vector registers."""

    def __init__(self, count: int) -> None:
        self.register = ir.VectorType(ir.DoubleType(), count)
        super().__init__(f"Side{count}")


register_model(_Side)(lambda manager, kind: _as_register(manager, kind, kind.register))
_lanes, _few = _Side(TILE), _Side(TURNED)


def _spread(builder: Any, number: Any, register: Any) -> Any:
    """The same number in every lane of a register."""
    nothing = ir.Constant(register, ir.Undefined)
    one = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    first = ir.Constant(ir.VectorType(ir.IntType(32), register.count), [0] * register.count)
    return builder.shuffle_vector(one, nothing, first)


def _by_lane(emit: Callable[..., Any]) -> Any:
    """A function of what lies side by side and of numbers, by `emit(builder, *registers)`."""

    def apply(context: Any, *operands: Any) -> Any:
        side = next((kind for kind in operands if isinstance(kind, _Side)), _lanes)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            registers = []
            for i, kind in enumerate(operands):
                value = builder.extract_value(arguments[0], i)
                if kind is not side:
                    number = context.cast(builder, value, kind, types.float64)
                    value = _spread(builder, number, side.register)
                registers.append(value)
            return emit(builder, *registers)

        return side(_operands(operands)), generate

    return intrinsic(apply)


def _infix(function: Any, instruction: str) -> None:
    """Let lanes be added, multiplied ..., with each other and with numbers."""
    apply = _by_lane(lambda builder, a, b: getattr(builder, instruction)(a, b))

    def choose(a: Any, b: Any) -> Any:
        def operate(a: Any, b: Any) -> Any:
            return apply(a, b)

        return operate if isinstance(a, _Side) or isinstance(b, _Side) else None

    overload(function, inline="always")(choose)


for _function, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _infix(_function, _instruction)


def _where(comparison: str) -> Any:
    """A function of a, b, yes, no: lane by lane, `yes` where a and b compare so, else `no`."""

    def emit(builder: Any, a: Any, b: Any, yes: Any, no: Any) -> Any:
        return builder.select(builder.fcmp_ordered(comparison, a, b), yes, no)

    return _by_lane(emit)


def _emit_sum_of_product(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def _emit_times_power_of_two(builder: Any, number: Any, shifted: Any) -> Any:
    """number * 2^n, where n + 1.5 * 2^52 is given and both are far from the least there are."""
    word = ir.VectorType(ir.IntType(64), TILE)
    exponent = builder.shl(builder.bitcast(shifted, word), ir.Constant(word, [52] * TILE))
    return builder.bitcast(builder.add(builder.bitcast(number, word), exponent), _lanes.register)


every = _by_lane(lambda builder, number: number)
if_greater, if_equal = _where(">"), _where("==")
_fused = _by_lane(_emit_sum_of_product)
_times_power_of_two = _by_lane(_emit_times_power_of_two)


def _loads(side: _Side) -> Any:
    def emit(context: Any, array: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            loaded = builder.load(_at(context, builder, array, arguments[0], side))
            loaded.align = 8
            return loaded

        return side(array), generate

    return intrinsic(emit)


def _emit_store(context: Any, array: Any, numbers: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], _at(context, builder, array, arguments[0], numbers)).align = 8
        return context.get_dummy_value()

    return types.void(array, numbers), generate


def _at(context: Any, builder: Any, kind: Any, array: Any, side: _Side) -> Any:
    """Where the numbers of an array begin."""
    data = make_array(kind)(context, builder, array).data
    return builder.bitcast(data, side.register.as_pointer())


load, load_few = _loads(_lanes), _loads(_few)
"""load(array), load_few(array): what stands in an array, [TILE] or [TURNED]."""
store: Any = intrinsic(_emit_store)
"""store(array, numbers): writes them there."""


def _emit_greatest(context: Any, numbers: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.VectorType(ir.IntType(32), TURNED)
        (found,) = arguments
        for others in ([2, 3, 0, 1], [1, 0, 3, 2]):
            other = builder.shuffle_vector(found, found, ir.Constant(kind, others))
            found = builder.select(builder.fcmp_ordered(">", found, other), found, other)
        return builder.extract_element(found, ir.Constant(ir.IntType(32), 0))

    return types.float64(numbers), generate


def _emit_equals(context: Any, numbers: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        same = builder.fcmp_ordered(
            "==", arguments[0], _spread(builder, arguments[1], _few.register)
        )
        return builder.zext(builder.bitcast(same, ir.IntType(TURNED)), ir.IntType(64))

    return types.uint64(numbers, types.float64), generate


greatest: Any = intrinsic(_emit_greatest)
"""greatest(numbers): of four."""
equals: Any = intrinsic(_emit_equals)
"""equals(numbers, number): which of four are the same, as the lowest bits of a uint64."""


def turner(rows: Sequence[int]) -> Any:
    """What lays numbers of 8 records beside each other: their number i in row `rows[i]`.

    turn(source, places, lane, size, at, target, row): for j < 8 and every i,
    target[row + rows[i], lane + j] = source[places[lane + j] * size + at + i].
    Source and target are arrays of whatever is made of float64, the target's in rows of TILE; the
    rows are so many that they are a multiple of 4. Of a record 4 numbers are read by one load.
    """
    four, eight = _few.register.as_pointer(), ir.VectorType(ir.DoubleType(), TURN).as_pointer()
    word, number = ir.IntType(64), ir.DoubleType().as_pointer()

    def pick(builder: Any, a: Any, b: Any, which: Sequence[int]) -> Any:
        kind = ir.VectorType(ir.IntType(32), len(which))
        return builder.shuffle_vector(a, b, ir.Constant(kind, [*which]))

    def columns(builder: Any, records: list[Any]) -> Any:
        """4 numbers of 8 records, turned: 8 of each of the 4."""
        a, b, c, d = (pick(builder, records[i], records[i + 2], range(8)) for i in (0, 1, 4, 5))
        halves = [
            [
                pick(builder, x, y, [i + odd for i in (0, 8, 2, 10, 4, 12, 6, 14)])
                for x, y in ((a, b), (c, d))
            ]
            for odd in range(2)
        ]
        for i in range(TURNED):
            low, high = halves[i % 2]
            yield pick(builder, low, high, [j + i // 2 * 2 for j in (0, 1, 4, 5, 8, 9, 12, 13)])

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, lane, size, at, _, row = arguments
        source, places, target = (
            make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 1, 5)
        )
        source, target = builder.bitcast(source, number), builder.bitcast(target, number)
        starts = []
        for j in range(TURN):
            place = builder.load(builder.gep(places, [builder.add(lane, word(j))]))
            starts.append(builder.gep(source, [builder.add(builder.mul(place, size), at)]))
        for first in range(0, len(rows), TURNED):
            records = []
            for start in starts:
                records.append(
                    builder.load(builder.bitcast(builder.gep(start, [word(first)]), four))
                )
                records[-1].align = 8
            for i, column in enumerate(columns(builder, records)):
                to = builder.mul(builder.add(row, word(rows[first + i])), word(TILE))
                place = builder.bitcast(builder.gep(target, [builder.add(to, lane)]), eight)
                builder.store(column, place).align = 8
        return context.get_dummy_value()

    def turn(
        context: Any, source: Any, places: Any, lane: Any, size: Any, at: Any, target: Any, row: Any
    ) -> Any:
        index = types.intp
        return types.void(source, places, index, index, index, target, index), generate

    return intrinsic(turn)


def _emit_lowest(context: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


lowest: Any = intrinsic(_emit_lowest)
"""lowest(bits): which is the lowest of a uint64's that is set; 64 of none."""


@register_jitable(inline="always")
def exponential(x: Any) -> Any:
    """e^x of lanes that are at most 0.

    e^x = 2^n e^f, f in +-ln 2 / 2, where e^f is Taylor's series to the 12th order up to 2e-16.
    """
    x = if_greater(-700.0, x, -700.0, x)  # what is no number stays
    shifted = _fused(x, 1.4426950408889634, 6755399441055744.0)  # 1.5 * 2^52 rounds to a whole
    n = shifted - 6755399441055744.0
    f = _fused(n, -0.693147180369123816490, x)
    f = _fused(n, -1.90821492927058770002e-10, f)
    series = every(_TAYLOR[0])
    for coefficient in _TAYLOR[1:]:
        series = _fused(series, f, coefficient)
    return _times_power_of_two(series, shifted)


def block_product(rows: int, panels: int) -> Any:
    """A product of `rows` rows with `panels` panels that stays in registers.

    product(x, x_at, x_stride, w, w_at, k, b, b_at, b_stride, y, y_at, y_stride, least): for every
    row r and column c, Y[r, c] = max(B[r, c] + sum_i X[r, i] W[panel of c, i], least), where row r
    of X begins at x[x_at + r x_stride], and those of B and Y likewise.
    The inputs k are at least 1. numba's own loops keep sums in memory and take twice as long.
    """
    register, word = ir.VectorType(ir.FloatType(), LANES), ir.IntType(64)
    columns = [(panel, half) for panel in range(panels) for half in range(PANEL // LANES)]

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
            factor = _spread(builder, builder.load(builder.gep(x, [at])), register)
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
        floor = _spread(builder, least, register)
        for total, target in zip(grown, targets, strict=True):
            less = builder.fcmp_ordered("<", total, floor)  # what is no number stays
            builder.store(builder.select(less, floor, total), target).align = 4
        return context.get_dummy_value()

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

    return intrinsic(product)
