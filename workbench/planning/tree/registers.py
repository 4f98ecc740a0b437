"""What is written for the processor's vector registers: trees side by side, and products.

Of a loop LLVM makes vectors where it finds that it may, and that it pays. Here nothing is left to
it: there is a type for the numbers of all trees that are grown side by side, a lane each, and
kernels calculate with it as with numbers; and there are products whose sums stay in registers.

Numba keeps what it has compiled of a kernel while the kernel's own file is the same. Whoever
changes this one writes its new digest into `kernels.REGISTERS`; a test asks for it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
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

_TAYLOR = tuple(1 / factorial(order) for order in range(12, -1, -1))

make_array: Any = arrayobj.make_array
_as_register: Any = models.PrimitiveModel
_operands: Any = types.StarArgTuple


class _Lanes(types.Type):
    """The type of TILE numbers in vector registers, each for another tree."""

    def __init__(self) -> None:
        super().__init__("Lanes")


_lanes = _Lanes()
_register = ir.VectorType(ir.DoubleType(), TILE)
register_model(_Lanes)(lambda manager, kind: _as_register(manager, kind, _register))


def _spread(builder: Any, number: Any, register: Any) -> Any:
    """The same number in every lane of a register."""
    nothing = ir.Constant(register, ir.Undefined)
    one = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    first = ir.Constant(ir.VectorType(ir.IntType(32), register.count), [0] * register.count)
    return builder.shuffle_vector(one, nothing, first)


def _by_lane(emit: Callable[..., Any]) -> Any:
    """A function of lanes and numbers, by `emit(builder, *registers)`."""

    def apply(context: Any, *operands: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            registers = []
            for i, kind in enumerate(operands):
                value = builder.extract_value(arguments[0], i)
                if kind is not _lanes:
                    number = context.cast(builder, value, kind, types.float64)
                    value = _spread(builder, number, _register)
                registers.append(value)
            return emit(builder, *registers)

        return _lanes(_operands(operands)), generate

    return intrinsic(apply)


def _infix(function: Any, instruction: str) -> None:
    """Let lanes be added, multiplied ..., with each other and with numbers."""
    apply = _by_lane(lambda builder, a, b: getattr(builder, instruction)(a, b))

    def choose(a: Any, b: Any) -> Any:
        def operate(a: Any, b: Any) -> Any:
            return apply(a, b)

        return operate if _lanes in (a, b) else None

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


def _emit_power_of_two(builder: Any, shifted: Any) -> Any:
    """2^n, where n + 1.5 * 2^52 is given."""
    word = ir.VectorType(ir.IntType(64), TILE)
    bits = builder.add(builder.bitcast(shifted, word), ir.Constant(word, [1023] * TILE))
    power = builder.shl(bits, ir.Constant(word, [52] * TILE))
    return builder.bitcast(power, _register)


every = _by_lane(lambda builder, number: number)
if_greater, if_equal = _where(">"), _where("==")
_fused = _by_lane(_emit_sum_of_product)
_power_of_two = _by_lane(_emit_power_of_two)


def _at(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """Where the lanes of an array [TILE] begin."""
    data = make_array(kind)(context, builder, array).data
    return builder.bitcast(data, _register.as_pointer())


def _emit_load(context: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = builder.load(_at(context, builder, array, arguments[0]))
        loaded.align = 8
        return loaded

    return _lanes(array), generate


def _emit_store(context: Any, array: Any, lanes: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], _at(context, builder, array, arguments[0])).align = 8
        return context.get_dummy_value()

    return types.void(array, lanes), generate


load: Any = intrinsic(_emit_load)
"""load(array): the lanes that stand in an array [TILE]."""
store: Any = intrinsic(_emit_store)
"""store(array, lanes): writes them there."""


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
    return series * _power_of_two(shifted)


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
