"""Steps in memory, one after the other: all that belongs to a step stands together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.training.packing import pack, unpack
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

    @property
    def bytes_per_step(self) -> int:
        return self.fields.itemsize


class Table:
    """Steps [count] of one layout."""

    def __init__(self, layout: Layout, words: Tensor) -> None:
        self.layout = layout
        self.words = words
        """[count, words] int64, what the steps are made of."""
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

    def read(self, name: str, shape: tuple[int, ...] = (-1,)) -> Any:
        """A copy of an entry of all steps, laid out as [*shape, *entry]."""
        parts = [np.ascontiguousarray(self.fields[key]) for key in self.layout.keys[name]]
        found = [torch.from_numpy(part.reshape(*shape, *part.shape[1:])) for part in parts]
        if name in self.layout.bits:
            return unpack(found[0], self.layout.bits[name])
        form = self.layout.forms[name]
        return found[0] if isinstance(form, Tensor) else rebuild(form, found)

    def write(self, step: Mapping[str, Any]) -> None:
        """Fill the entries that are named [N, ...] of the first N steps; the others stay."""
        for name, values in step.items():
            held = pack(values) if name in self.layout.bits else values
            parts = (held,) if isinstance(held, Tensor) else leaves(held)
            for key, part in zip(self.layout.keys[name], parts, strict=True):
                self.fields[key][: len(part)] = part.numpy()
