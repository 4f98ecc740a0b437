"""Compiled representation: an encoder of dense layers, evaluated by the search kernels."""

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
from workbench.planning.tree.compiled_network import NORMS, Floats32, RowLayout, WeightCopies
from workbench.planning.tree.simd import TREES_PER_TILE
from workbench.planning.tree.trees import aligned_empty
from workbench.types import Latent, State

SMALL = 2**16
"""Maximum number of weights.

The kernel takes 0.5 to 0.9 of torch's time with 50,000 weights, and the same time with 100,000.
"""

ONE, SHADES = np.float32(1), np.float32(255)
"""Divisors of observations, as in `as_input`: bytes hold shades from 0 to 255."""


class Encoder(NamedTuple):
    """Layers of an encoder over a row of numbers, which starts with the observation."""

    ops: NDArray[np.int64]  # [layers, 10] as `kernels.evaluate` reads them
    weights: Floats32
    offsets: Floats32
    width: int  # length of a row
    latent: int  # offset of the latent in a row
    size: int  # length of a latent


@dataclass(frozen=True)
class _CompiledEncoder:
    """A compiled encoder, the weights to copy before every use, and its workspace."""

    encoder: Encoder
    copies: WeightCopies
    no_action: NDArray[np.int64]  # [TILE]
    scratch: Floats32  # [TILE * width]


def represent(
    model: WorldModel, observation: Tensor, generator: Generator, state: State | None = None
) -> Latent:
    """Evaluate `model.represent`, by one kernel if the encoder is a few dense layers on the CPU.

    Use it outside of training only: no gradient flows through it. Right after a search, torch's
    code is not in the processor's caches, and calling two layers takes longer than their products.
    """
    try:
        found = _laid_out[model]
    except KeyError:
        dense = model.dense_encoder()
        found = _laid_out[model] = None if dense is None else _compile(dense)
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


def _compile(dense: DenseEncoder) -> _CompiledEncoder | None:
    """Compile an encoder; None if it is larger than `SMALL`."""
    layout = RowLayout()
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
    no_action, scratch = (
        np.zeros(TREES_PER_TILE, np.int64),
        aligned_empty(TREES_PER_TILE * layout.width, np.float32),
    )
    return _CompiledEncoder(encoder, copies, no_action, scratch)


_laid_out: WeakKeyDictionary[WorldModel, _CompiledEncoder | None] = WeakKeyDictionary()
