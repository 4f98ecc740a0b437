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
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, overload, register_model
from numba.np import arrayobj

TILE = 16
"""Trees that one whole search grows side by side: enough to fill the registers of a product."""
LANES = 8
"""Numbers in single precision in a vector register, as the products are laid out."""
PANEL = 2 * LANES
"""Columns of a matrix that lie together."""
TOGETHER = 4
"""Edges of a node that lie together, each of their numbers side by side."""

# Of 1 + f + a f^2 + ... + d f^5, which is e^f for f in +-ln 2 / 2 up to 1.04e-7 of it: there is no
# better of this form (the greatest error minimised by a linear program).
_SERIES = (1.0, 1.0, 0.499992311, 0.166670874, 0.0418902412, 0.00831479859)

_KINDS = {
    types.float64: ir.DoubleType(),
    types.float32: ir.FloatType(),
    types.uint32: ir.IntType(32),
}

make_array: Any = arrayobj.make_array
_as_register: Any = models.PrimitiveModel
_operands: Any = types.StarArgTuple


class _Side(types.Type):
    """The type of so many numbers that lie side by side in vector registers."""

    def __init__(self, count: int, of: Any = types.float64) -> None:
        self.count, self.of = count, of
        self.register = ir.VectorType(_KINDS[of], count)
        super().__init__(f"Side{count}{of}")


register_model(_Side)(lambda manager, kind: _as_register(manager, kind, kind.register))
_lanes = _Side(TILE)


def _spread(builder: Any, number: Any, register: Any) -> Any:
    """The same number in every lane of a register."""
    nothing = ir.Constant(register, ir.Undefined)
    one = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    return _pick(builder, one, nothing, [0] * register.count)


def _pick(builder: Any, a: Any, b: Any, which: Sequence[int]) -> Any:
    """Of the numbers in two registers those with these indices."""
    kind = ir.VectorType(ir.IntType(32), len(which))
    return builder.shuffle_vector(a, b, ir.Constant(kind, [*which]))


def _by_lane(emit: Callable[..., Any], alike: int = 0, to: Any = None) -> Any:
    """A function of what lies side by side and of numbers, by `emit(builder, *registers)`.

    So many operands after each other are of one type, of which numbers become too; 0: all of them.
    The result is of the type of the last ones, or as precise as is said.
    """

    def apply(context: Any, *operands: Any) -> Any:
        together, sides = alike or len(operands), []
        for first in range(0, len(operands), together):
            group = operands[first : first + together]
            found = [kind for kind in group if isinstance(kind, _Side)]
            sides += [found[0] if found else _lanes] * together
        result = _Side(sides[-1].count, to or sides[-1].of)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            registers = []
            for i, (kind, side) in enumerate(zip(operands, sides, strict=True)):
                value = builder.extract_value(arguments[0], i)
                if kind != side:
                    number = context.cast(builder, value, kind, side.of)
                    value = _spread(builder, number, side.register)
                registers.append(value)
            return emit(builder, *registers)

        return result(_operands(operands)), generate

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

    return _by_lane(emit, alike=2)


def _emit_sum_of_product(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def _emit_exponential(builder: Any, x: Any) -> Any:
    """e^x = 2^n e^f, f in +-ln 2 / 2."""
    word = ir.VectorType(ir.IntType(32), x.type.count)

    def number(value: float) -> Any:
        return ir.Constant(x.type, [value] * x.type.count)

    lowest, shift = number(-87.0), number(12582912.0)  # 1.5 * 2^23 rounds to a whole number
    x = builder.select(builder.fcmp_ordered(">", lowest, x), lowest, x)  # what is no number stays
    shifted = _emit_sum_of_product(builder, x, number(1.44269504088896341), shift)
    n = builder.fsub(shifted, shift)
    f = _emit_sum_of_product(builder, n, number(-0.693147181), x)
    terms = [number(coefficient) for coefficient in _SERIES]
    pairs = zip(terms[::2], terms[1::2], strict=True)
    low, middle, high = (_emit_sum_of_product(builder, b, f, a) for a, b in pairs)
    f = builder.fmul(f, f)
    series = _emit_sum_of_product(builder, high, f, middle)
    series = _emit_sum_of_product(builder, series, f, low)
    exponent = builder.shl(builder.bitcast(shifted, word), ir.Constant(word, [23] * word.count))
    power = builder.add(builder.bitcast(series, word), exponent)
    return builder.bitcast(power, x.type)


def _converted(instruction: str, to: Any) -> Any:
    """A function of lanes, or of a number for all of them: the same, as precise as is said."""

    def emit(builder: Any, x: Any) -> Any:
        kind = _Side(x.type.count, to).register
        return x if x.type == kind else getattr(builder, instruction)(x, kind)

    return _by_lane(emit, to=to)


single, double = _converted("fptrunc", types.float32), _converted("fpext", types.float64)
whole = _converted("fptoui", types.uint32)
"""single(x), double(x), whole(x): as numbers of 32 and 64 bits, and as such that count."""
if_greater, if_equal = _where(">"), _where("==")
fused = _by_lane(_emit_sum_of_product)
"""fused(a, b, c): a * b + c, rounded once where the processor can."""
exponential = _by_lane(_emit_exponential)
"""exponential(x): e^x of singles that are at most 0, to 4e-7 of it; of what is below -87, e^-87."""


def _loads(count: int) -> Any:
    def emit(context: Any, array: Any) -> Any:
        side = _Side(count, array.dtype)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            loaded = builder.load(_at(context, builder, array, arguments[0], side))
            loaded.align = 4
            return loaded

        return side(array), generate

    return intrinsic(emit)


def _emit_store(context: Any, array: Any, numbers: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], _at(context, builder, array, arguments[0], numbers)).align = 4
        return context.get_dummy_value()

    return types.void(array, numbers), generate


def _at(context: Any, builder: Any, kind: Any, array: Any, side: _Side) -> Any:
    """Where the numbers of an array begin."""
    data = make_array(kind)(context, builder, array).data
    return builder.bitcast(data, side.register.as_pointer())


load, load_few = _loads(TILE), _loads(TOGETHER)
"""load(array), load_few(array): what stands in an array, [TILE] or [TOGETHER], single or double."""
store: Any = intrinsic(_emit_store)
"""store(array, numbers): writes them there."""


def _emit_greatest(context: Any, numbers: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (found,) = arguments
        for others in ([2, 3, 0, 1], [1, 0, 3, 2]):
            other = _pick(builder, found, found, others)
            found = builder.select(builder.fcmp_ordered(">", found, other), found, other)
        return builder.extract_element(found, ir.Constant(ir.IntType(32), 0))

    return types.float64(numbers), generate


def _emit_equals(context: Any, numbers: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        same = builder.fcmp_ordered(
            "==", arguments[0], _spread(builder, arguments[1], numbers.register)
        )
        return builder.zext(builder.bitcast(same, ir.IntType(TOGETHER)), ir.IntType(64))

    return types.uint64(numbers, types.float64), generate


def _emit_any_above(context: Any, numbers: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        above = builder.fcmp_ordered(
            ">", arguments[0], _spread(builder, arguments[1], numbers.register)
        )
        bits = ir.IntType(numbers.count)
        return builder.icmp_unsigned("!=", builder.bitcast(above, bits), bits(0))

    return types.boolean(numbers, numbers.of), generate


any_above: Any = intrinsic(_emit_any_above)
"""any_above(numbers, number): whether one of those side by side is greater."""
greatest: Any = intrinsic(_emit_greatest)
"""greatest(numbers): of four."""
equals: Any = intrinsic(_emit_equals)
"""equals(numbers, number): which of four are the same, as the lowest bits of a uint64."""


def _fours(builder: Any, records: list[Any]) -> list[Any]:
    """Of 16 records of four doubles: 16 of each of the four."""
    halves = []
    for r in (records[:8], records[8:]):
        a, b, c, d = (_pick(builder, r[i], r[i + 2], range(8)) for i in (0, 1, 4, 5))
        columns = []
        for i in range(4):
            odd, upper = i % 2, i // 2 * 2
            low, high = (
                _pick(builder, x, y, [k + odd for k in (0, 8, 2, 10, 4, 12, 6, 14)])
                for x, y in ((a, b), (c, d))
            )
            which = [j + upper for j in (0, 1, 4, 5, 8, 9, 12, 13)]
            columns.append(_pick(builder, low, high, which))
        halves.append(columns)
    return [_pick(builder, x, y, range(16)) for x, y in zip(*halves, strict=True)]


def _eights(builder: Any, records: list[Any]) -> list[Any]:
    """Of 16 records of eight singles: 16 of each of the eight."""
    quarter = (0, 4, 8, 12)
    ones = [k + j for k in quarter for j in (0, 16, 1, 17)]
    others = [k + j + 2 for k in quarter for j in (0, 16, 1, 17)]
    evens = [k + j for k in quarter for j in (0, 1, 16, 17)]
    odds = [k + j + 2 for k in quarter for j in (0, 1, 16, 17)]
    by_half = []
    for half in (records[:8], records[8:]):
        a, b, c, d = (_pick(builder, half[i], half[i + 4], range(16)) for i in range(4))
        found = []
        for mixed in (ones, others):
            x, y = _pick(builder, a, b, mixed), _pick(builder, c, d, mixed)
            found += [_pick(builder, x, y, evens), _pick(builder, x, y, odds)]
        by_half.append(found)
    rows = []
    for start in (0, 4):
        which = [start + k + j for k in (0, 8, 16, 24) for j in range(4)]
        rows += [_pick(builder, x, y, which) for x, y in zip(*by_half, strict=True)]
    return rows


def turner(size: int, doubles: int, singles: int, row: int, to: Sequence[int]) -> Any:
    """What lays the numbers of 16 records beside each other.

    turn(source, places, each, at, target): of the records at + each * places[lane] of the source,
    of `size` bytes each, four doubles, from byte `doubles` on, go to the first four rows of the
    target, of `row` bytes each, to their byte to[0]; of eight singles, from byte `singles` on, four
    go to to[1] of these rows and four to to[2].
    """

    word, byte = ir.IntType(64), ir.IntType(8).as_pointer()

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, places, target = (
            make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 1, 4)
        )
        source, target = builder.bitcast(source, byte), builder.bitcast(target, byte)
        each, at = (builder.mul(arguments[i], word(size)) for i in (2, 3))
        source = builder.gep(source, [at])
        starts = []
        for lane in range(TILE):
            place = builder.load(builder.gep(places, [word(lane)]))
            starts.append(builder.gep(source, [builder.mul(place, each)]))

        def read(kind: Any, offset: int) -> list[Any]:
            found = []
            for start in starts:
                place = builder.bitcast(builder.gep(start, [word(offset)]), kind.as_pointer())
                found.append(builder.load(place))
                found[-1].align = 4
            return found

        def write(column: Any, offset: int) -> None:
            place = builder.gep(target, [word(offset)])
            builder.store(column, builder.bitcast(place, column.type.as_pointer())).align = 4

        for i, column in enumerate(
            _fours(builder, read(ir.VectorType(ir.DoubleType(), 4), doubles))
        ):
            write(column, i * row + to[0])
        for i, column in enumerate(
            _eights(builder, read(ir.VectorType(ir.FloatType(), 8), singles))
        ):
            write(column, i % 4 * row + to[1 + i // 4])
        return context.get_dummy_value()

    def turn(context: Any, source: Any, places: Any, each: Any, at: Any, target: Any) -> Any:
        return types.void(source, places, types.intp, types.intp, target), generate

    return intrinsic(turn)


def _emit_lowest(context: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


lowest: Any = intrinsic(_emit_lowest)
"""lowest(bits): which is the lowest of a uint64's that is set; 64 of none."""


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
