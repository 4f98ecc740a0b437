"""Compiled kernels that write, remove and read packed steps.

The kernels share one file: numba's cache notices a change in the file of a kernel, but not in the
files of the kernels that it calls.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numba import njit, types
from numba.extending import intrinsic, register_jitable
from numpy.typing import NDArray

WORD = 8
"""Number of bytes per word. A step is a whole number of words, so that its entries stay aligned."""

Bytes: TypeAlias = NDArray[np.uint8]
Words: TypeAlias = NDArray[np.int64]
Addresses: TypeAlias = tuple[int, ...]
"""Memory address of the first byte of each entry's tensor."""


@register_jitable
def round_up_to_words(size: int) -> int:
    """Return the size in bytes, rounded up to whole words, for alignment."""
    return -(-size // WORD) * WORD


def _make_reader(number_type: Any) -> Any:
    """Return a function that reads a number of type `number_type` at a memory address."""

    def emit(context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = context.get_value_type(number_type).as_pointer()
            number = builder.load(builder.inttoptr(arguments[0], pointer))
            number.align = 1
            return number

        return number_type(types.int64), generate

    return intrinsic(emit)


_read_uint8, _read_uint32 = _make_reader(types.uint8), _make_reader(types.uint32)


@register_jitable
def _pack(addresses: Addresses, formats: Words, row: int, step: Bytes) -> None:
    """Write row `row` of the entries to a step; bits are packed from the most significant.

    formats [fields, 4]: offset, packed size, number of bits and unpacked size of each field.
    """
    halves = step.view(np.uint32)
    for field in range(len(addresses)):
        offset, size, bits, unpacked_size = formats[field]
        begin = addresses[field] + row * unpacked_size
        if bits > 0:
            for i in range(size):
                byte = np.uint8(0)
                for k in range(8 * i, min(8 * i + 8, bits)):
                    byte |= _read_uint8(begin + k) << (7 - (k & 7))
                step[offset + i] = byte
        elif offset % 4 == 0 and size % 4 == 0:
            for k in range(size // 4):
                halves[offset // 4 + k] = _read_uint32(begin + 4 * k)
        else:
            for k in range(size):
                step[offset + k] = _read_uint8(begin + k)


@njit(cache=True)
def append_steps(
    addresses: Addresses, formats: Words, steps: Bytes, capacity: int, lengths: Words
) -> int:
    """Append a step to each of B episodes and return the length of the longest.

    Args:
        addresses: addresses of the entries' tensors [B, ...].
        formats: [fields, 4] offset, packed size, bits and unpacked size of each field.
        steps: [B * capacity, bytes] steps; those of one episode are contiguous.
        capacity: capacity per episode, in steps.
        lengths: [B] number of steps of each episode; incremented in place.
    """
    longest = 0
    for episode in range(len(lengths)):
        _pack(addresses, formats, episode, steps[episode * capacity + lengths[episode]])
        lengths[episode] += 1
        longest = max(longest, lengths[episode])
    return longest


@njit(cache=True)
def take_episodes(
    addresses: Addresses, formats: Words, steps: Words, capacity: int, lengths: Words, ended: Words
) -> tuple[Words, Words]:
    """Copy the steps of episodes `ended` [E], add their final steps, and reset their lengths.

    `steps` has the layout of `append_steps`, but in words. Fields of a final step without an entry
    are 0.

    Returns:
        Steps [sum(T + 1), words], and the number of actions T [E] of each episode.
    """
    length = lengths[ended]
    lengths[ended] = 0
    taken, row = np.empty((length.sum() + len(ended), steps.shape[1]), np.int64), 0
    for i in range(len(ended)):
        begin = ended[i] * capacity
        taken[row : row + length[i]] = steps[begin : begin + length[i]]
        row += length[i]
        taken[row] = 0
        _pack(addresses, formats, i, taken[row].view(np.uint8))
        row += 1
    return taken, length


@njit(cache=True)
def unpack_entries(steps: Bytes, rows: Words, formats: Words, unpacked: Bytes) -> None:
    """Unpack fields of the steps `rows` into the bytes `unpacked`, one field after the other."""
    halves, unpacked_halves, start = steps.view(np.uint32), unpacked.view(np.uint32), 0
    for field in range(len(formats)):
        offset, size, bits, unpacked_size = formats[field]
        for i in range(len(rows)):
            at, row = start + i * unpacked_size, rows[i]
            if bits > 0:
                for k in range(bits):
                    unpacked[at + k] = (steps[row, offset + (k >> 3)] >> (7 - (k & 7))) & 1
            elif offset % 4 == 0 and size % 4 == 0:
                for k in range(size // 4):
                    unpacked_halves[at // 4 + k] = halves[row, offset // 4 + k]
            else:
                for k in range(size):
                    unpacked[at + k] = steps[row, offset + k]
        start += round_up_to_words(len(rows) * unpacked_size)
