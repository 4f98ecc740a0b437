"""A representation of dense layers, evaluated by the kernels that evaluate the rest of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from workbench.models.dense import DenseEncoder
from workbench.models.world_model import WorldModel
from workbench.planning.tree import kernels
from workbench.planning.tree.compiled_network import NORMS, Copies, Floats32, Layout
from workbench.planning.tree.simd import TILE
from workbench.planning.tree.trees import room_for
from workbench.types import Latent, State

SMALL = 2**16
"""Weights. A kernel takes 0.5 to 0.9 of torch's time with 50,000, and as long with 100,000."""

ONE, SHADES = np.float32(1), np.float32(255)
"""What observations are divided by, as `as_input` does: those of bytes are shades."""


class Encoder(NamedTuple):
    """Layers over the places of a row of numbers; what is observed stands at its beginning."""

    ops: NDArray[np.int64]  # [layers, 10] as `kernels.evaluate` reads them
    weights: Floats32
    offsets: Floats32
    width: int  # of a row
    latent: int  # where it stands
    size: int  # of a latent


@dataclass(frozen=True)
class _LaidOut:
    """An encoder laid out once, what is copied anew before every use, and where it works."""

    encoder: Encoder
    copies: Copies
    no_action: NDArray[np.int64]  # [TILE]
    scratch: Floats32  # [TILE * width]


def represent(
    model: WorldModel, observation: Tensor, generator: Generator, state: State | None = None
) -> Latent:
    """`model.represent`, by one kernel where that is a few dense layers on the CPU.

    For use outside of training: no gradient flows through it. After a search nothing of torch is
    in the caches, and the calls of two layers take longer than their products.
    """
    try:
        found = _laid_out[model]
    except KeyError:
        dense = model.dense_encoder()
        found = _laid_out[model] = None if dense is None else _lay_out(dense)
    if found is None or not found.copies.on_cpu:
        return model.represent(observation, generator, state)
    encoder = found.encoder
    seen = np.ascontiguousarray(observation.numpy()).reshape(len(observation), -1)
    divisor = SHADES if seen.dtype == np.uint8 else ONE
    latents = np.empty((len(seen), encoder.size), np.float32)
    kernels.encode(
        encoder, found.copies.sources(), seen, divisor, found.no_action, found.scratch, latents
    )
    return torch.from_numpy(latents)


def _lay_out(dense: DenseEncoder) -> _LaidOut | None:
    """None where it is larger than `SMALL`."""
    layout = Layout()
    place = layout.reserve(dense.layers[0].weight.shape[1])
    for number, layer in enumerate(dense.layers, 1):
        source, place = place, layout.reserve(len(layer.weight))
        layout.layers([layer], source, place, relu=number < len(dense.layers))
    size = len(dense.layers[-1].weight)
    if dense.norm in NORMS:
        layout.norm(NORMS[dense.norm], place, size)
    if layout.weights > SMALL:
        return None
    weights, offsets, copies = layout.arrays()
    encoder = Encoder(np.array(layout.ops), weights, offsets, layout.width, place, size)
    no_action, scratch = np.zeros(TILE, np.int64), room_for(TILE * layout.width, np.float32)
    return _LaidOut(encoder, copies, no_action, scratch)


_laid_out: WeakKeyDictionary[WorldModel, _LaidOut | None] = WeakKeyDictionary()
