"""Steps in memory, one after the other: all that belongs to a step stands together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from numba.extending import register_jitable
from numpy.typing import NDArray
from torch import Tensor

from workbench.types import leaves, rebuild

WORD = 8
"""Bytes. A step takes a whole number of words, so that every entry of it can be read in place."""

PACKED = ("observation", "legal")
"""What is held as bits, if it is true or false."""


class Part(NamedTuple):
    """A field of a step, and how its entry looks outside of it."""

    offset: int
    size: int
    """Bytes in the step."""
    bits: int
    """How many of these are a byte each outside; 0 where all is as it is."""
    bytes: int
    """Outside."""
    kind: np.dtype[Any]
    shape: tuple[int, ...]


class Layout:
    """Where in a step each of its entries stands.

    `step` is an example of what is to be held: by name, tensors [1, ...] or records of them.
    """

    def __init__(self, step: Mapping[str, Any]) -> None:
        self.forms = dict(step)
        """By name, an example."""
        self.keys: dict[str, tuple[str, ...]] = {}
        """By name, the fields in which it stands: several for a record of tensors."""
        entries, seen = [], {}
        for name, form in step.items():
            parts = leaves(form)
            several = tuple(f"{name}.{i}" for i in range(len(parts)))
            self.keys[name] = (name,) if isinstance(form, Tensor) else several
            for key, part in zip(self.keys[name], parts, strict=True):
                kind, shape = part.numpy().dtype, tuple(part.shape[1:])
                bits = prod(shape) if name in PACKED and kind == np.bool_ else 0
                entries.append((key, np.uint8, (-(-bits // 8),)) if bits else (key, kind, shape))
                seen[key] = (bits, kind, shape)
        # The widest numbers first: then each of them stands where its width divides the place.
        entries.sort(key=lambda entry: -np.dtype(entry[1]).itemsize)
        filled = -np.dtype(entries).itemsize % WORD
        self.fields = np.dtype([*entries, ("", np.uint8, (filled,))] if filled else entries)
        self._places: dict[tuple[str, ...], NDArray[np.int64]] = {}
        self.parts: dict[str, Part] = {}
        """By field."""
        offset = 0
        for entry in entries:
            size, (bits, kind, shape) = np.dtype([entry]).itemsize, seen[entry[0]]
            self.parts[entry[0]] = Part(offset, size, bits, bits or size, kind, shape)
            offset += size

    @property
    def bytes_per_step(self) -> int:
        return self.fields.itemsize

    def places(self, names: tuple[str, ...]) -> NDArray[np.int64]:
        """Of the fields of entries, as the kernels read them: offset, size, bits, bytes."""
        if names not in self._places:
            parts = (self.parts[key] for name in names for key in self.keys[name])
            self._places[names] = np.array([part[:4] for part in parts], np.int64)
        return self._places[names]


class Table:
    """Steps [count] of one layout."""

    def __init__(self, layout: Layout, words: Tensor) -> None:
        self.layout = layout
        self.words = words
        """[count, words] int64, what the steps are made of."""

    @cached_property
    def bytes(self) -> NDArray[np.uint8]:
        """[count, bytes] the same."""
        return self.words.numpy().view(np.uint8)

    @cached_property
    def fields(self) -> NDArray[Any]:
        """[count] the same as numpy's records."""
        return self.words.numpy().view(self.layout.fields)[:, 0]

    @classmethod
    def empty(cls, layout: Layout, count: int) -> Table:
        """All zero."""
        return cls(layout, torch.zeros(count, layout.bytes_per_step // WORD, dtype=torch.int64))

    def __len__(self) -> int:
        return len(self.bytes)  # a tensor's length takes a way through torch

    def __getitem__(self, name: str) -> Any:
        """An entry of all steps, in place: [count, ...]; what is packed as it is held."""
        columns = [torch.from_numpy(self.fields[key]) for key in self.layout.keys[name]]
        return rebuild(self.layout.forms[name], columns)

    def write(self, step: Mapping[str, Any]) -> None:
        """Fill the entries that are named [N, ...] of the first N steps; the others stay.

        Raises ValueError where there are fewer steps, or an entry has another shape.
        """
        parts = []
        for name, values in step.items():
            tensors = (values,) if isinstance(values, Tensor) else leaves(values)
            for key, tensor in zip(self.layout.keys[name], tensors, strict=True):
                part = self.layout.parts[key]
                array = tensor.numpy()
                if len(array) > len(self) or array.shape[1:] != part.shape:
                    raise ValueError(f"{key}: {array.shape} into {len(self)} steps of {part.shape}")
                array = array if array.dtype == part.kind else array.astype(part.kind)
                parts.append(array.reshape(-1).view(np.uint8))
        _write(tuple(parts), self.layout.places(tuple(step)), self.bytes)


class Reader:
    """Copies some entries of steps, each laid out by itself."""

    def __init__(self, layout: Layout, names: tuple[str, ...]) -> None:
        self._forms = {name: layout.forms[name] for name in names}
        self._parts = {name: [layout.parts[key] for key in layout.keys[name]] for name in names}
        self._places = layout.places(names)

    def __call__(self, table: Table, rows: NDArray[np.int64]) -> dict[str, Any]:
        """By name, the entries of the steps `rows` [...]: [..., *entry]."""
        count = rows.size
        every = (part for parts in self._parts.values() for part in parts)
        copied = np.empty(sum(_whole(count * part.bytes) for part in every), np.uint8)
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


@register_jitable
def _whole(size: int) -> int:
    """In whole words, so that what follows can be read in place."""
    return -(-size // WORD) * WORD


@njit(cache=True)
def _write(
    parts: tuple[NDArray[np.uint8], ...], places: NDArray[np.int64], held: NDArray[np.uint8]
) -> None:
    """Write parts [N * bytes] to the first N steps; bits stand from the highest of a byte down."""
    for which in range(len(parts)):
        part = parts[which]
        offset, size, bits, width = places[which]
        for row in range(len(part) // width):
            at = row * width
            if bits > 0:
                held[row, offset : offset + size] = 0
                for k in range(bits):
                    held[row, offset + (k >> 3)] |= part[at + k] << (7 - (k & 7))
            else:
                for k in range(size):
                    held[row, offset + k] = part[at + k]


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
        start += _whole(len(rows) * width)
