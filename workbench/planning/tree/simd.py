"""Explicit SIMD types for the kernels: vectors of lanes, transposition, matrix products.

LLVM vectorises a loop only if it can prove that this is safe and profitable. This module defines
explicit SIMD types instead: a vector with one lane per tree of a tile, and a vector of four edges
of a node. Kernels calculate with both as with numbers. Records are transposed by whole registers,
and matrix products keep their sums in registers.

Numba's cache notices changes in a kernel's own file only. After a change of this file, write its
new digest to `kernels.SIMD_DIGEST`; a test checks it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, overload, register_model
from numba.np import arrayobj

TREES_PER_TILE = 16
"""Number of trees that one search grows in parallel; it fills the registers of a product."""
LANES = 8
"""Number of float32 lanes of a vector register."""
PANEL = 2 * LANES
"""Number of matrix columns that are stored together."""
EDGES_PER_GROUP = 4
"""Number of edges of a node that are stored together, field by field."""

# Coefficients of 1 + f + a f^2 + ... + d f^5, which approximates e^f for |f| <= ln 2 / 2 with a
# relative error of 1.04e-7. They minimise the maximum error of this form (by a linear program).
_SERIES = (1.0, 1.0, 0.499992311, 0.166670874, 0.0418902412, 0.00831479859)

_KINDS = {
    types.float64: ir.DoubleType(),
    types.float32: ir.FloatType(),
    types.uint32: ir.IntType(32),
}

make_array: Any = arrayobj.make_array
_as_register: Any = models.PrimitiveModel
_operands: Any = types.StarArgTuple


class SIMDVector(types.Type):
    """Type of a SIMD vector of numbers."""

    def __init__(self, count: int, of: Any = types.float64) -> None:
        self.count, self.of = count, of
        self.register = ir.VectorType(_KINDS[of], count)
        super().__init__(f"Side{count}{of}")


register_model(SIMDVector)(lambda manager, kind: _as_register(manager, kind, kind.register))
_lanes = SIMDVector(TREES_PER_TILE)


def _broadcast(builder: Any, number: Any, register: Any) -> Any:
    """Copy a number into every lane of a register."""
    nothing = ir.Constant(register, ir.Undefined)
    one = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    return _shuffle(builder, one, nothing, [0] * register.count)


def _shuffle(builder: Any, a: Any, b: Any, which: Sequence[int]) -> Any:
    """Select lanes `which` of two registers."""
    kind = ir.VectorType(ir.IntType(32), len(which))
    return builder.shuffle_vector(a, b, ir.Constant(kind, [*which]))


def _lanewise(emit: Callable[..., Any], alike: int = 0, to: Any = None) -> Any:
    """Return a lanewise function of vectors and numbers, given `emit(builder, *registers)`.

    Groups of `alike` consecutive operands share one type, to which numbers are converted; 0 groups
    all operands. The result has the type of the last group, or type `to`.
    """

    def apply(context: Any, *operands: Any) -> Any:
        together, sides = alike or len(operands), []
        for first in range(0, len(operands), together):
            group = operands[first : first + together]
            found = [kind for kind in group if isinstance(kind, SIMDVector)]
            sides += [found[0] if found else _lanes] * together
        result = SIMDVector(sides[-1].count, to or sides[-1].of)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            registers = []
            for i, (kind, side) in enumerate(zip(operands, sides, strict=True)):
                value = builder.extract_value(arguments[0], i)
                if kind != side:
                    number = context.cast(builder, value, kind, side.of)
                    value = _broadcast(builder, number, side.register)
                registers.append(value)
            return emit(builder, *registers)

        return result(_operands(operands)), generate

    return intrinsic(apply)


def _infix(function: Any, instruction: str) -> None:
    """Overload an operator for vectors, with vectors and with numbers."""
    apply = _lanewise(lambda builder, a, b: getattr(builder, instruction)(a, b))

    def choose(a: Any, b: Any) -> Any:
        def operate(a: Any, b: Any) -> Any:
            return apply(a, b)

        return operate if isinstance(a, SIMDVector) or isinstance(b, SIMDVector) else None

    overload(function, inline="always")(choose)


for _function, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _infix(_function, _instruction)


def _where(comparison: str) -> Any:
    """Return a function of a, b, yes, no: per lane, `yes` if a and b compare true, else `no`."""

    def emit(builder: Any, a: Any, b: Any, yes: Any, no: Any) -> Any:
        return builder.select(builder.fcmp_ordered(comparison, a, b), yes, no)

    return _lanewise(emit, alike=2)


def _emit_sum_of_product(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def _emit_exponential(builder: Any, x: Any) -> Any:
    """e^x = 2^n e^f with |f| <= ln 2 / 2."""
    word = ir.VectorType(ir.IntType(32), x.type.count)

    def number(value: float) -> Any:
        return ir.Constant(x.type, [value] * x.type.count)

    lowest, shift = number(-87.0), number(12582912.0)  # adding 1.5 * 2^23 rounds to an integer
    x = builder.select(builder.fcmp_ordered(">", lowest, x), lowest, x)  # NaN stays NaN
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
    """Return a conversion of vectors, or of a number, to another precision."""

    def emit(builder: Any, x: Any) -> Any:
        kind = SIMDVector(x.type.count, to).register
        return x if x.type == kind else getattr(builder, instruction)(x, kind)

    return _lanewise(emit, to=to)


to_float32, to_float64 = _converted("fptrunc", types.float32), _converted("fpext", types.float64)
to_uint32 = _converted("fptoui", types.uint32)
"""to_float32(x), to_float64(x), to_uint32(x): conversions of vectors and numbers."""
if_greater, if_equal = _where(">"), _where("==")
fma = _lanewise(_emit_sum_of_product)
"""fma(a, b, c): a * b + c, rounded once if the processor can."""
exponential = _lanewise(_emit_exponential)
"""exponential(x): e^x of float32 x <= 0 with a relative error of 4e-7; e^-87 below -87."""


def _loads(count: int) -> Any:
    def emit(context: Any, array: Any) -> Any:
        side = SIMDVector(count, array.dtype)

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


def _at(context: Any, builder: Any, kind: Any, array: Any, side: SIMDVector) -> Any:
    """Return a pointer to the first number of an array."""
    data = make_array(kind)(context, builder, array).data
    return builder.bitcast(data, side.register.as_pointer())


load, load_few = _loads(TREES_PER_TILE), _loads(EDGES_PER_GROUP)
"""load(array), load_few(array): read an array of TREES_PER_TILE or EDGES_PER_GROUP numbers."""
store: Any = intrinsic(_emit_store)
"""store(array, numbers): write them to an array."""


def _emit_greatest(context: Any, numbers: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (found,) = arguments
        for others in ([2, 3, 0, 1], [1, 0, 3, 2]):
            other = _shuffle(builder, found, found, others)
            found = builder.select(builder.fcmp_ordered(">", found, other), found, other)
        return builder.extract_element(found, ir.Constant(ir.IntType(32), 0))

    return types.float64(numbers), generate


def _emit_equals(context: Any, numbers: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        same = builder.fcmp_ordered(
            "==", arguments[0], _broadcast(builder, arguments[1], numbers.register)
        )
        return builder.zext(builder.bitcast(same, ir.IntType(EDGES_PER_GROUP)), ir.IntType(64))

    return types.uint64(numbers, types.float64), generate


def _emit_any_above(context: Any, numbers: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        above = builder.fcmp_ordered(
            ">", arguments[0], _broadcast(builder, arguments[1], numbers.register)
        )
        bits = ir.IntType(numbers.count)
        return builder.icmp_unsigned("!=", builder.bitcast(above, bits), bits(0))

    return types.boolean(numbers, numbers.of), generate


any_above: Any = intrinsic(_emit_any_above)
"""any_above(numbers, number): whether one of the lanes is greater."""
max_of_four: Any = intrinsic(_emit_greatest)
"""max_of_four(numbers): maximum of four lanes."""
equals: Any = intrinsic(_emit_equals)
"""equals(numbers, number): which of four lanes are equal, as the lowest bits of a uint64."""


def _transpose_float64(builder: Any, records: list[Any]) -> list[Any]:
    """Transpose 16 records of four float64."""
    halves = []
    for r in (records[:8], records[8:]):
        a, b, c, d = (_shuffle(builder, r[i], r[i + 2], range(8)) for i in (0, 1, 4, 5))
        columns = []
        for i in range(4):
            odd, upper = i % 2, i // 2 * 2
            low, high = (
                _shuffle(builder, x, y, [k + odd for k in (0, 8, 2, 10, 4, 12, 6, 14)])
                for x, y in ((a, b), (c, d))
            )
            which = [j + upper for j in (0, 1, 4, 5, 8, 9, 12, 13)]
            columns.append(_shuffle(builder, low, high, which))
        halves.append(columns)
    return [_shuffle(builder, x, y, range(16)) for x, y in zip(*halves, strict=True)]


def _transpose_float32(builder: Any, records: list[Any]) -> list[Any]:
    """Transpose 16 records of eight float32."""
    quarter = (0, 4, 8, 12)
    ones = [k + j for k in quarter for j in (0, 16, 1, 17)]
    others = [k + j + 2 for k in quarter for j in (0, 16, 1, 17)]
    evens = [k + j for k in quarter for j in (0, 1, 16, 17)]
    odds = [k + j + 2 for k in quarter for j in (0, 1, 16, 17)]
    by_half = []
    for half in (records[:8], records[8:]):
        a, b, c, d = (_shuffle(builder, half[i], half[i + 4], range(16)) for i in range(4))
        found = []
        for mixed in (ones, others):
            x, y = _shuffle(builder, a, b, mixed), _shuffle(builder, c, d, mixed)
            found += [_shuffle(builder, x, y, evens), _shuffle(builder, x, y, odds)]
        by_half.append(found)
    rows = []
    for start in (0, 4):
        which = [start + k + j for k in (0, 8, 16, 24) for j in range(4)]
        rows += [_shuffle(builder, x, y, which) for x, y in zip(*by_half, strict=True)]
    return rows


def transpose_records(size: int, doubles: int, singles: int, row: int, to: Sequence[int]) -> Any:
    """Return a kernel that transposes 16 records into lanes.

    turn(source, places, each, at, target) reads the records at + each * places[lane] of the source,
    of `size` bytes each. Four float64 from byte `doubles` on go to byte to[0] of the first four
    rows of the target, which have `row` bytes each. Of eight float32 from byte `singles` on, four
    go to to[1] and four to to[2] of these rows.
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
        for lane in range(TREES_PER_TILE):
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
            _transpose_float64(builder, read(ir.VectorType(ir.DoubleType(), 4), doubles))
        ):
            write(column, i * row + to[0])
        for i, column in enumerate(
            _transpose_float32(builder, read(ir.VectorType(ir.FloatType(), 8), singles))
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


lowest_bit: Any = intrinsic(_emit_lowest)
"""lowest_bit(bits): index of the lowest set bit of a uint64; 64 if none is set."""


def block_product(rows: int, panels: int) -> Any:
    """Return a product of `rows` rows with `panels` panels that keeps its sums in registers.

    product(x, x_at, x_stride, w, w_at, k, b, b_at, b_stride, y, y_at, y_stride, least): for every
    row r and column c, Y[r, c] = max(B[r, c] + sum_i X[r, i] W[panel of c, i], least), where row r
    of X starts at x[x_at + r x_stride], and rows of B and Y likewise. k >= 1 is the number of
    inputs. numba's own loops keep the sums in memory and take twice as long.
    """
    register, word = ir.VectorType(ir.FloatType(), LANES), ir.IntType(64)
    columns = [(panel, half) for panel in range(panels) for half in range(PANEL // LANES)]

    def place(builder: Any, data: Any, start: Any, steps: Any, stride: Any, offset: Any) -> Any:
        """Return a vector pointer to data + start + steps * stride + offset."""
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
            factor = _broadcast(builder, builder.load(builder.gep(x, [at])), register)
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
        floor = _broadcast(builder, least, register)
        for total, target in zip(grown, targets, strict=True):
            less = builder.fcmp_ordered("<", total, floor)  # NaN stays NaN
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
