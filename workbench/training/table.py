"""Steps in memory, one after the other: all that belongs to a step stands together."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from workbench.training.packing import pack
from workbench.types import leaves, rebuild

WORD = 8
"""Bytes. A step takes a whole number of words, so that every entry of it can be read in place."""

PACKED = ("observation", "legal")
"""What is held as bits, if it is true or false."""


class Layout:
    """Where in a step each of its entries stands.

    `step` is an example of what is to be held: by name, tensors [1, ...] or records of them.
    """

    def __init__(self, step: Mapping[str, Any]) -> None:
        self.bits: dict[str, tuple[int, ...]] = {
            name: tuple(step[name].shape[1:])
            for name in PACKED
            if name in step and step[name].dtype == torch.bool
        }
        """Shapes of what is packed, by name."""
        self.forms = {name: pack(v) if name in self.bits else v for name, v in step.items()}
        """By name, an example of what is held."""
        self.keys: dict[str, tuple[str, ...]] = {}
        """By name, the fields in which it stands: several for a record of tensors."""
        entries = []
        for name, form in self.forms.items():
            parts = leaves(form)
            several = tuple(f"{name}.{i}" for i in range(len(parts)))
            self.keys[name] = (name,) if isinstance(form, Tensor) else several
            for key, part in zip(self.keys[name], parts, strict=True):
                entries.append((key, part.numpy().dtype, tuple(part.shape[1:])))
        # The widest numbers first: then each of them stands where its width divides the place.
        entries.sort(key=lambda entry: -entry[1].itemsize)
        filled = -np.dtype(entries).itemsize % WORD
        self.fields = np.dtype([*entries, ("", np.uint8, (filled,))] if filled else entries)
        ends = np.cumsum([np.dtype([entry]).itemsize for entry in entries]).tolist()
        self.offsets = dict(zip((entry[0] for entry in entries), [0, *ends], strict=False))
        """By field, the bytes before it."""

    @property
    def bytes_per_step(self) -> int:
        return self.fields.itemsize


class Table:
    """Steps [count] of one layout."""

    def __init__(self, layout: Layout, words: Tensor) -> None:
        self.layout = layout
        self.words = words
        """[count, words] int64, what the steps are made of."""
        self.bytes: NDArray[np.uint8] = words.numpy().view(np.uint8)
        self.fields = words.numpy().view(layout.fields)[:, 0]
        """[count] the same as numpy's records."""

    @classmethod
    def empty(cls, layout: Layout, count: int) -> Table:
        """All zero."""
        return cls(layout, torch.zeros(count, layout.bytes_per_step // WORD, dtype=torch.int64))

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, name: str) -> Any:
        """An entry of all steps, in place: [count, ...]; what is packed as it is held."""
        columns = [torch.from_numpy(self.fields[key]) for key in self.layout.keys[name]]
        return rebuild(self.layout.forms[name], columns)

    def write(self, step: Mapping[str, Any]) -> None:
        """Fill the entries that are named [N, ...] of the first N steps; the others stay."""
        for name, values in step.items():
            held = pack(values) if name in self.layout.bits else values
            parts = (held,) if isinstance(held, Tensor) else leaves(held)
            for key, part in zip(self.layout.keys[name], parts, strict=True):
                self.fields[key][: len(part)] = part.numpy()


class _Part(NamedTuple):
    """A field of a step, and what is made of it where it is copied to."""

    offset: int
    size: int
    """Bytes in the step."""
    bits: int
    """How many are to become a byte each; 0 where it is copied as it is."""
    bytes: int
    """Where it is copied to."""
    kind: np.dtype[Any]
    shape: tuple[int, ...]


class Reader:
    """Copies some entries of steps, each laid out by itself."""

    def __init__(self, layout: Layout, names: tuple[str, ...]) -> None:
        self._forms = {name: layout.forms[name] for name in names}
        self._parts = {name: _parts(layout, name) for name in names}
        every = [part[:4] for parts in self._parts.values() for part in parts]
        self._places = np.array(every, np.int64)

    def __call__(self, table: Table, rows: NDArray[np.int64]) -> dict[str, Any]:
        """By name, the entries of the steps `rows` [...]: [..., *entry]."""
        count = rows.size
        copied = np.empty(sum(_whole(count * place[3]) for place in self._places), np.uint8)
        _copy(table.bytes, rows.reshape(-1), self._places, copied)
        found, start = {}, 0
        for name, parts in self._parts.items():
            tensors = []
            for part in parts:
                shape = (*rows.shape, *part.shape)
                tensors.append(torch.from_numpy(np.ndarray(shape, part.kind, copied, start)))
                start += _whole(count * part.bytes)
            form = self._forms[name]
            found[name] = tensors[0] if isinstance(form, Tensor) else rebuild(form, tensors)
        return found


def _parts(layout: Layout, name: str) -> list[_Part]:
    """The fields in which an entry stands."""
    found = []
    for key in layout.keys[name]:
        held, offset = layout.fields[key], layout.offsets[key]
        kind, shape, bits = held.base, held.shape, 0
        if name in layout.bits:
            kind, shape = np.dtype(np.bool_), layout.bits[name]
            bits = prod(shape)
        found.append(_Part(offset, held.itemsize, bits, bits or held.itemsize, kind, shape))
    return found


def _whole(size: int) -> int:
    """In whole words, so that what follows can be read in place."""
    return -(-size // WORD) * WORD


@njit(cache=True)
def _copy(
    held: NDArray[np.uint8],
    rows: NDArray[np.int64],
    places: NDArray[np.int64],
    copied: NDArray[np.uint8],
) -> None:
    """Copy the parts of rows, one part after the other.

    places [parts, 4]: offset, size, bits, and the bytes that a part takes where it is copied to.
    """
    words, copied_words, start = held.view(np.uint32), copied.view(np.uint32), 0
    for part in range(len(places)):
        offset, size, bits, width = places[part]
        for i in range(len(rows)):
            at, row = start + i * width, rows[i]
            if bits > 0:
                for k in range(bits):
                    copied[at + k] = (held[row, offset + (k >> 3)] >> (7 - (k & 7))) & 1
            elif offset % 4 == 0 and size % 4 == 0:
                for k in range(size // 4):
                    copied_words[at // 4 + k] = words[row, offset // 4 + k]
            else:
                for k in range(size):
                    copied[at + k] = held[row, offset + k]
        start += (len(rows) * width + WORD - 1) // WORD * WORD
