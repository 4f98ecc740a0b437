"""Packed storage of steps: all entries of a step are contiguous in memory."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.training.step_kernels import (
    WORD,
    Addresses,
    Bytes,
    Words,
    round_up_to_words,
    unpack_entries,
)
from workbench.types import tree_leaves, tree_unflatten

PACKED = ("observation", "legal")
"""Entries that are stored as bits if they are boolean."""


class StepField(NamedTuple):
    """One field of a packed step, and the format of its unpacked tensor."""

    offset: int
    size: int
    """Number of bytes in the packed step."""
    bits: int
    """Number of bits that unpack to one byte each; 0 if the field is not packed."""
    bytes: int
    """Number of bytes of the unpacked entry."""
    numpy_dtype: np.dtype[Any]
    torch_dtype: torch.dtype
    shape: tuple[int, ...]


class Entries(NamedTuple):
    """Unpacked entries of steps in the form that the kernels read."""

    addresses: Addresses
    formats: Words
    """[fields, 4] offset, packed size, bits and unpacked size of each field."""
    tensors: list[Tensor]
    """Tensors at the addresses; this reference keeps them in memory."""


class StepLayout:
    """Memory layout of a step.

    `step` is an example: it maps names to tensors [1, ...] or to records of tensors.
    """

    def __init__(self, step: Mapping[str, Any]) -> None:
        self.examples = dict(step)
        """Example of each entry."""
        self.keys: dict[str, tuple[str, ...]] = {}
        """Names of the fields of each entry: one for a tensor, several for a record."""
        entries, unpacked = [], {}
        for name, example in step.items():
            leaves = tree_leaves(example)
            leaf_keys = tuple(f"{name}.{i}" for i in range(len(leaves)))
            self.keys[name] = (name,) if isinstance(example, Tensor) else leaf_keys
            for key, leaf in zip(self.keys[name], leaves, strict=True):
                dtype, shape = leaf.numpy().dtype, tuple(leaf.shape[1:])
                bits = prod(shape) if name in PACKED and dtype == np.bool_ else 0
                entries.append((key, np.uint8, (-(-bits // 8),)) if bits else (key, dtype, shape))
                unpacked[key] = (bits, dtype, leaf.dtype, shape)
        # Order by descending item size, so that every number is aligned.
        entries.sort(key=lambda entry: -np.dtype(entry[1]).itemsize)
        padding = -np.dtype(entries).itemsize % WORD
        self.dtype = np.dtype([*entries, ("", np.uint8, (padding,))] if padding else entries)
        self._formats: dict[tuple[str, ...], Words] = {}
        self.fields: dict[str, StepField] = {}
        """Position and format of each field."""
        offset = 0
        for entry in entries:
            size = np.dtype([entry]).itemsize
            bits, dtype, torch_dtype, shape = unpacked[entry[0]]
            self.fields[entry[0]] = StepField(
                offset, size, bits, bits or size, dtype, torch_dtype, shape
            )
            offset += size

    @property
    def bytes_per_step(self) -> int:
        """Number of bytes of a packed step."""
        return self.dtype.itemsize

    def formats(self, names: tuple[str, ...]) -> Words:
        """[fields, 4] offset, packed size, bits and unpacked size of the fields of some entries."""
        if names not in self._formats:
            fields = (self.fields[key] for name in names for key in self.keys[name])
            self._formats[names] = np.array([field[:4] for field in fields], np.int64)
        return self._formats[names]

    def entries(self, step: Mapping[str, Any], count: int) -> Entries:
        """Convert entries of `count` steps, tensors [count, ...], for the kernels.

        Raises:
            ValueError: an entry has another shape.
        """
        tensors = []
        for name, values in step.items():
            leaves = (values,) if isinstance(values, Tensor) else tree_leaves(values)
            for key, tensor in zip(self.keys[name], leaves, strict=True):
                field, shape = self.fields[key], tensor.shape
                dtype, expected = field.torch_dtype, (count, *field.shape)
                if shape != expected:
                    raise ValueError(f"entry '{key}' has shape {tuple(shape)}, expected {expected}")
                if not (tensor.dtype is dtype and tensor.is_contiguous() and tensor.is_cpu):
                    tensor = tensor.to("cpu", dtype).contiguous()
                tensors.append(tensor)
        # The kernels get addresses: an array per tensor would take longer than copying its data.
        addresses = tuple([tensor.data_ptr() for tensor in tensors])
        return Entries(addresses, self.formats(tuple(step)), tensors)


class StepStorage:
    """Array [count] of packed steps that share one layout."""

    def __init__(self, layout: StepLayout, words: Tensor) -> None:
        self.layout = layout
        self.words = words
        """[count, words] int64 memory of the steps."""

    @cached_property
    def bytes(self) -> Bytes:
        """[count, bytes] view of the memory."""
        return self.words.numpy().view(np.uint8)

    @cached_property
    def records(self) -> NDArray[Any]:
        """[count] view of the memory as a numpy record array."""
        return self.words.numpy().view(self.layout.dtype)[:, 0]

    @classmethod
    def empty(cls, layout: StepLayout, count: int) -> StepStorage:
        """Allocate `count` steps, all zero."""
        return cls(layout, torch.zeros(count, layout.bytes_per_step // WORD, dtype=torch.int64))

    def __len__(self) -> int:
        return len(self.bytes)  # numpy, because len() of a tensor is slow

    def __getitem__(self, name: str) -> Any:
        """Return a view [count, ...] of an entry; a packed entry stays packed."""
        columns = [torch.from_numpy(self.records[key]) for key in self.layout.keys[name]]
        return tree_unflatten(self.layout.examples[name], columns)


class StepReader:
    """Reads and unpacks some entries of steps."""

    def __init__(self, layout: StepLayout, names: tuple[str, ...]) -> None:
        self._examples = {name: layout.examples[name] for name in names}
        self._fields = {name: [layout.fields[key] for key in layout.keys[name]] for name in names}
        self._formats = layout.formats(names)

    def __call__(self, storage: StepStorage, rows: Words) -> dict[str, Any]:
        """Return the entries of the steps `rows` [...], by name: [..., *entry]."""
        count = rows.size
        sizes = (field.bytes for fields in self._fields.values() for field in fields)
        unpacked = np.empty(sum(round_up_to_words(count * size) for size in sizes), np.uint8)
        unpack_entries(storage.bytes, rows.reshape(-1), self._formats, unpacked)
        entries, start = {}, 0
        for name, fields in self._fields.items():
            tensors = []
            for field in fields:
                shape = (*rows.shape, *field.shape)
                array = np.ndarray(shape, field.numpy_dtype, unpacked, start)
                tensors.append(torch.from_numpy(array))
                start += round_up_to_words(count * field.bytes)
            example = self._examples[name]
            entries[name] = (
                tensors[0] if isinstance(example, Tensor) else tree_unflatten(example, tensors)
            )
        return entries
