"""The compiled kernels of packed steps, in one file.

numba renews what it has cached when the file of a kernel changes, not when that of a kernel called
by it does.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numba import njit, types
from numba.extending import intrinsic, register_jitable
from numpy.typing import NDArray

WORD = 8
"""Bytes. A step takes a whole number of words, so that every entry of it can be read in place."""

Bytes: TypeAlias = NDArray[np.uint8]
Words: TypeAlias = NDArray[np.int64]
Addresses: TypeAlias = tuple[int, ...]
"""Where in memory the parts of entries begin, each laid out by itself."""


@register_jitable
def whole(size: int) -> int:
    """In whole words, so that what follows can be read in place."""
    return -(-size // WORD) * WORD


def _read(kind: Any) -> Any:
    """A function from an address in memory to the number of such a kind that stands there."""

    def emit(context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = context.get_value_type(kind).as_pointer()
            number = builder.load(builder.inttoptr(arguments[0], pointer))
            number.align = 1
            return number

        return kind(types.int64), generate

    return intrinsic(emit)


_byte, _half = _read(types.uint8), _read(types.uint32)


@register_jitable
def _put(addresses: Addresses, places: Words, row: int, step: Bytes) -> None:
    """Write row `row` of entries to a step; bits stand from the highest of a byte down.

    places [parts, 4]: offset and size in a step, bits, and the bytes that a part takes outside.
    """
    halves = step.view(np.uint32)
    for which in range(len(addresses)):
        offset, size, bits, width = places[which]
        begin = addresses[which] + row * width
        if bits > 0:
            for i in range(size):
                byte = np.uint8(0)
                for k in range(8 * i, min(8 * i + 8, bits)):
                    byte |= _byte(begin + k) << (7 - (k & 7))
                step[offset + i] = byte
        elif offset % 4 == 0 and size % 4 == 0:
            for k in range(size // 4):
                halves[offset // 4 + k] = _half(begin + 4 * k)
        else:
            for k in range(size):
                step[offset + k] = _byte(begin + k)


@njit(cache=True)
def append(addresses: Addresses, places: Words, steps: Bytes, room: int, moves: Words) -> int:
    """Write entries [B] behind the steps of B episodes; the most moves that one has then.

    Args:
        steps: [B * room, bytes], those of an episode one after the other.
        moves: [B] how many it has, which become one more.
    """
    longest = 0
    for episode in range(len(moves)):
        _put(addresses, places, episode, steps[episode * room + moves[episode]])
        moves[episode] += 1
        longest = max(longest, moves[episode])
    return longest


@njit(cache=True)
def take(
    addresses: Addresses, places: Words, steps: Words, room: int, moves: Words, ended: Words
) -> tuple[Words, Words]:
    """Copy the steps of episodes `ended` [E], which have no moves then, and last ones of entries.

    Args:
        steps: as for `append`, by words; what is not among the entries of a last step is 0.

    Returns:
        the steps [sum(T + 1), words], and the numbers of moves T [E].
    """
    length = moves[ended]
    moves[ended] = 0
    taken, row = np.empty((length.sum() + len(ended), steps.shape[1]), np.int64), 0
    for i in range(len(ended)):
        begin = ended[i] * room
        taken[row : row + length[i]] = steps[begin : begin + length[i]]
        row += length[i]
        taken[row] = 0
        _put(addresses, places, i, taken[row].view(np.uint8))
        row += 1
    return taken, length


@njit(cache=True)
def copy(steps: Bytes, rows: Words, places: Words, copied: Bytes) -> None:
    """Copy the parts of rows of steps, one part after the other."""
    halves, copied_halves, start = steps.view(np.uint32), copied.view(np.uint32), 0
    for part in range(len(places)):
        offset, size, bits, width = places[part]
        for i in range(len(rows)):
            at, row = start + i * width, rows[i]
            if bits > 0:
                for k in range(bits):
                    copied[at + k] = (steps[row, offset + (k >> 3)] >> (7 - (k & 7))) & 1
            elif offset % 4 == 0 and size % 4 == 0:
                for k in range(size // 4):
                    copied_halves[at // 4 + k] = halves[row, offset // 4 + k]
            else:
                for k in range(size):
                    copied[at + k] = steps[row, offset + k]
        start += whole(len(rows) * width)
