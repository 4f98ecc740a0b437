"""Steps in memory, one after the other: all that belongs to a step stands together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.training.step_kernels import WORD, Addresses, Bytes, Words, copy, whole
from workbench.types import leaves, rebuild

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
    type: torch.dtype
    """The same, as torch has it."""
    shape: tuple[int, ...]


class Entries(NamedTuple):
    """Entries of steps, each laid out by itself, as the kernels read them."""

    addresses: Addresses
    places: Words
    """Where in a step they stand: offset, size, bits, bytes."""
    tensors: list[Tensor]
    """What lies there, as long as this is kept."""


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
                seen[key] = (bits, kind, part.dtype, shape)
        # The widest numbers first: then each of them stands where its width divides the place.
        entries.sort(key=lambda entry: -np.dtype(entry[1]).itemsize)
        filled = -np.dtype(entries).itemsize % WORD
        self.fields = np.dtype([*entries, ("", np.uint8, (filled,))] if filled else entries)
        self._places: dict[tuple[str, ...], Words] = {}
        self.parts: dict[str, Part] = {}
        """By field."""
        offset = 0
        for entry in entries:
            size, (bits, kind, type_, shape) = np.dtype([entry]).itemsize, seen[entry[0]]
            self.parts[entry[0]] = Part(offset, size, bits, bits or size, kind, type_, shape)
            offset += size

    @property
    def bytes_per_step(self) -> int:
        return self.fields.itemsize

    def places(self, names: tuple[str, ...]) -> Words:
        """Of the fields of entries, as the kernels read them: offset, size, bits, bytes."""
        if names not in self._places:
            parts = (self.parts[key] for name in names for key in self.keys[name])
            self._places[names] = np.array([part[:4] for part in parts], np.int64)
        return self._places[names]

    def entries(self, step: Mapping[str, Any], count: int) -> Entries:
        """What is named of so many steps [count, ...].

        Raises ValueError where an entry has another shape.
        """
        tensors = []
        for name, values in step.items():
            parts = (values,) if isinstance(values, Tensor) else leaves(values)
            for key, tensor in zip(self.keys[name], parts, strict=True):
                part, shape = self.parts[key], tensor.shape
                if shape != (count, *part.shape):
                    raise ValueError(f"{key}: {tuple(shape)} instead of {(count, *part.shape)}")
                if not (tensor.dtype is part.type and tensor.is_contiguous() and tensor.is_cpu):
                    tensor = tensor.to("cpu", part.type).contiguous()
                tensors.append(tensor)
        # By address: an array for each costs more than to copy what it holds.
        addresses = tuple([tensor.data_ptr() for tensor in tensors])
        return Entries(addresses, self.places(tuple(step)), tensors)


class Table:
    """Steps [count] of one layout."""

    def __init__(self, layout: Layout, words: Tensor) -> None:
        self.layout = layout
        self.words = words
        """[count, words] int64, what the steps are made of."""

    @cached_property
    def bytes(self) -> Bytes:
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


class Reader:
    """Copies some entries of steps, each laid out by itself."""

    def __init__(self, layout: Layout, names: tuple[str, ...]) -> None:
        self._forms = {name: layout.forms[name] for name in names}
        self._parts = {name: [layout.parts[key] for key in layout.keys[name]] for name in names}
        self._places = layout.places(names)

    def __call__(self, table: Table, rows: Words) -> dict[str, Any]:
        """By name, the entries of the steps `rows` [...]: [..., *entry]."""
        count = rows.size
        every = (part for parts in self._parts.values() for part in parts)
        copied = np.empty(sum(whole(count * part.bytes) for part in every), np.uint8)
        copy(table.bytes, rows.reshape(-1), self._places, copied)
        found, start = {}, 0
        for name, parts in self._parts.items():
            tensors = []
            for part in parts:
                shape = (*rows.shape, *part.shape)
                tensors.append(torch.from_numpy(np.ndarray(shape, part.kind, copied, start)))
                start += whole(count * part.bytes)
            form = self._forms[name]
            found[name] = tensors[0] if isinstance(form, Tensor) else rebuild(form, tensors)
        return found
