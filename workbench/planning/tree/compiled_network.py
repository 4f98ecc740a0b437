"""Compiled model: a dense model in the layout of `kernels.evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from workbench.models.dense import DenseHead, DenseLayer, DenseModel
from workbench.models.world_model import WorldModel
from workbench.planning.tree.kernels import (
    L2,
    LAYER_NORM,
    MIN_MAX,
    PLAIN,
    PRODUCT,
    SYMLOG,
    H,
    copy_weights,
)
from workbench.planning.tree.simd import PANEL, TREES_PER_TILE
from workbench.planning.tree.trees import (
    Leaves,
    Trees,
    aligned_empty,
    allocate_leaves,
    allocate_trees,
)

Floats32 = NDArray[np.float32]
Arrays = tuple[Floats32, ...]
Whole = NDArray[np.int64]

NORMS = {"min_max": MIN_MAX, "layer_norm": LAYER_NORM, "l2": L2}
TRANSFORMS = {"none": PLAIN, "h": H, "symlog": SYMLOG}


class Network(NamedTuple):
    """Layers of a model over a row of numbers, which starts with the latent to step."""

    ops: NDArray[np.int64]  # [layers, 10] as `kernels._multiply` and `kernels.evaluate` read them
    heads: int  # index of the first layer after the transition
    weights: Floats32  # matrices as panels of columns: [panels, inputs, PANEL] each
    offsets: Floats32  # [columns] each, or [A, columns]
    support: Floats32  # atoms of the scalars
    scalars: NDArray[np.int64]  # [2, 4] of value and reward: offset, size, transform, atoms
    size: int  # length of a latent
    width: int  # length of a row
    latent: int  # offset of the next latent in a row
    policy: int  # offset of the policy logits
    actions: int
    termination: int  # offset of the termination logit; -1 if it is not used
    discount: float


class SearchWorkspace(NamedTuple):
    """Reused memory in which one thread searches a tile of trees."""

    trees: Trees  # TREES_PER_TILE trees
    latents: Floats32  # [(N+1) TREES_PER_TILE, size]
    no_action: NDArray[np.int64]  # [TREES_PER_TILE] for the heads, which take no action
    scratch: Floats32  # [TREES_PER_TILE * width]
    leaves: Leaves


def workspace_for(network: Network, nodes: int, width: int, share: int = 0) -> SearchWorkspace:
    """Return the workspace of thread `share` for trees of `nodes` nodes with `width` children.

    It is reused in every search, because allocating memory takes longer than a search.
    """
    return _allocate_workspace(nodes, width, share, network.size, network.width)


@lru_cache(maxsize=8)
def _allocate_workspace(nodes: int, width: int, share: int, size: int, row: int) -> SearchWorkspace:
    return SearchWorkspace(
        trees=allocate_trees(TREES_PER_TILE, nodes, width),
        latents=aligned_empty((nodes * TREES_PER_TILE, size), np.float32),
        no_action=np.zeros(TREES_PER_TILE, np.int64),
        scratch=aligned_empty(TREES_PER_TILE * row, np.float32),
        leaves=allocate_leaves(TREES_PER_TILE, width),
    )


class WeightCopies:
    """Copies the weights of all layers into a compiled network."""

    def __init__(self, layers: list[DenseLayer], places: list[list[int]]) -> None:
        """`places`: destination of each layer, as `kernels.copy_weights` reads it."""
        self._parts: list[list[Tensor | None]] = [
            [layer.weight for layer in layers],
            [layer.offset for layer in layers],
            [layer.by_action for layer in layers],
        ]
        self._tensors = [part for parts in self._parts for part in parts if part is not None]
        self._places, self._pointers = np.array(places), [0]

    @property
    def on_cpu(self) -> bool:
        """Whether the weights are on the CPU."""
        return self._tensors[0].is_cpu

    def sources(self) -> tuple[Whole, Arrays, Arrays, Arrays]:
        """Return the arguments of `kernels.copy_weights`."""
        pointers = [tensor.data_ptr() for tensor in self._tensors]
        if pointers != self._pointers:  # creating a view takes longer than copying the tensor
            weights, offsets, by_action = map(_arrays, self._parts)
            self._sources = (self._places, weights, offsets, by_action)
            self._pointers = pointers
        return self._sources


def _arrays(parts: list[Tensor | None]) -> Arrays:
    """Convert tensors to numpy arrays; a missing tensor becomes an empty array."""
    empty = np.empty((0, 0), np.float32)
    return tuple(empty if part is None else part.detach().numpy() for part in parts)


class RowLayout:
    """Layout of a row of numbers, and the layers that read and write it."""

    def __init__(self) -> None:
        self.width = 0
        self.ops: list[list[int]] = []
        self._layers: list[tuple[list[DenseLayer], int, int]] = []
        self._weights = self._offsets = 0

    def reserve(self, size: int) -> int:
        """Reserve space for `size` numbers, in whole panels, and return its offset."""
        place, self.width = self.width, self.width + _panels(size) * PANEL
        return place

    @property
    def weights(self) -> int:
        """Number of weights so far."""
        return self._weights

    def layers(
        self, side_by_side: list[DenseLayer], source: int, target: int, relu: bool, added: int = -1
    ) -> None:
        """Add layers with a common input as one layer."""
        panels = _panels(sum(len(layer.weight) for layer in side_by_side))
        inputs, first = side_by_side[0].weight.shape[1], side_by_side[0]
        columns, choices = panels * PANEL, 0 if first.by_action is None else len(first.by_action)
        starts = (self._weights, self._offsets)
        self._layers.append((side_by_side, *starts))
        by_action = columns if choices else 0
        self.ops.append(
            [PRODUCT, source, inputs, target, panels, *starts, by_action, int(relu), added]
        )
        self._weights += inputs * columns
        self._offsets += max(choices, 1) * columns

    def norm(self, kind: int, place: int, size: int) -> None:
        """Add a normalisation of `size` numbers at offset `place`."""
        self.ops.append([kind, place, size, *[0] * 7])

    def arrays(self) -> tuple[Floats32, Floats32, WeightCopies]:
        """Return weights and offsets, all 0, and the copies that fill them."""
        weights, offsets = (
            aligned_empty(self._weights, np.float32),
            aligned_empty(self._offsets, np.float32),
        )
        weights[:], offsets[:] = 0.0, 0.0
        every, places = [], []
        for layers, weights_at, offset_at in self._layers:
            column, width = 0, _panels(sum(len(layer.weight) for layer in layers)) * PANEL
            for layer in layers:
                every.append(layer)
                places.append([weights_at, column, offset_at, width])
                column += len(layer.weight)
        return weights, offsets, WeightCopies(every, places)


def _panels(size: int) -> int:
    return -(-size // PANEL)


@dataclass(frozen=True)
class _CompiledModel:
    """A compiled model, and the weights to copy before every search."""

    network: Network
    uncut: Network
    """The same network without the termination head."""
    copies: WeightCopies

    def renewed(self, cut: bool) -> Network:
        copy_weights(self.network, self.copies.sources())
        return self.network if cut else self.uncut


def _compile(model: DenseModel) -> _CompiledModel:
    layout = RowLayout()
    size = model.state.hidden.weight.shape[1]
    latent = layout.reserve(size)
    if model.transition:
        step = model.transition
        hidden = layout.reserve(len(step.hidden.weight))
        layout.layers([step.hidden], latent, hidden, relu=True)
        then = layout.reserve(size)
        layout.layers([step.out], hidden, then, relu=False, added=latent)
        latent = then
    if model.norm in NORMS:
        layout.norm(NORMS[model.norm], latent, size)
    heads = len(layout.ops)
    state, edge = _heads(layout, model.state, model.edge, latent)
    actions = len(model.state.out.weight) - model.value.size
    scalars = [(model.value, state + actions), (model.reward, edge)]
    atoms = [scale.support.numpy() for scale, _ in scalars]
    weights, offsets, copies = layout.arrays()
    network = Network(
        ops=np.array(layout.ops),
        heads=heads,
        weights=weights,
        offsets=offsets,
        support=np.concatenate(atoms),
        scalars=np.array(
            [
                [place, scale.size, TRANSFORMS[scale.transform], start]
                for (scale, place), start in zip(scalars, (0, len(atoms[0])), strict=True)
            ]
        ),
        size=size,
        width=layout.width,
        latent=latent,
        policy=state,
        actions=actions,
        termination=edge + model.reward.size,
        discount=model.discount,
    )
    return _CompiledModel(network, network._replace(termination=-1), copies)


def _heads(layout: RowLayout, state: DenseHead, edge: DenseHead, latent: int) -> tuple[int, int]:
    """Add both heads, with their hidden layers as one; return the offsets of their outputs."""
    hidden = [state.hidden, edge.hidden]
    place = layout.reserve(sum(len(layer.weight) for layer in hidden))
    layout.layers(hidden, latent, place, relu=True)
    written = []
    for head in (state, edge):
        written.append(layout.reserve(len(head.out.weight)))
        layout.layers([head.out], place, written[-1], relu=False)
        place += len(head.hidden.weight)
    return written[0], written[1]


_laid_out: WeakKeyDictionary[WorldModel, _CompiledModel | None] = WeakKeyDictionary()


def compiled_network(model: WorldModel, cut: bool) -> Network | None:
    """Return the compiled network with the current weights; None if the model is not dense.

    The weights are copied for every search, because `Tensor._version` does not count the writes of
    a fused optimiser. The layout is computed once per model.

    Args:
        model: the world model.
        cut: whether the discount is multiplied by the predicted probability of continuing.
    """
    try:
        found = _laid_out[model]
    except KeyError:
        dense = model.dense()
        found = _laid_out[model] = None if dense is None else _compile(dense)
    return found.renewed(cut) if found is not None and found.copies.on_cpu else None
