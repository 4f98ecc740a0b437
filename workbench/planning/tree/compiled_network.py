"""A dense model laid out for the kernels of `kernels.evaluate`, and copied anew as it learns."""

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
    lay_out,
)
from workbench.planning.tree.simd import PANEL, TILE
from workbench.planning.tree.trees import Leaves, Trees, leaves_of, plant, room_for

Floats32 = NDArray[np.float32]
Arrays = tuple[Floats32, ...]
Whole = NDArray[np.int64]

NORMS = {"min_max": MIN_MAX, "layer_norm": LAYER_NORM, "l2": L2}
TRANSFORMS = {"none": PLAIN, "h": H, "symlog": SYMLOG}


class Network(NamedTuple):
    """Layers over the places of a row of numbers; a latent to step stands at its beginning."""

    ops: NDArray[np.int64]  # [layers, 10] as `kernels._multiply` and `kernels.evaluate` read them
    heads: int  # the first layer that is not the transition's
    weights: Floats32  # matrices as panels of columns: [panels, inputs, PANEL] each
    offsets: Floats32  # [columns] each, or [A, columns]
    support: Floats32  # atoms of the scalars
    scalars: NDArray[np.int64]  # [2, 4] of value and reward: place, size, transform, atoms
    size: int  # of a latent
    width: int  # of a row
    latent: int  # where the next latent stands
    policy: int  # where the logits stand
    actions: int
    termination: int  # where its logit stands; -1 if it is not to be used
    discount: float


class Room(NamedTuple):
    """Where one thread works on a tile of trees, again and again."""

    trees: Trees  # of TILE roots
    latents: Floats32  # [(N+1) TILE, size]
    no_action: NDArray[np.int64]  # [TILE] for the heads, which hang on none
    scratch: Floats32  # [TILE * width]
    leaves: Leaves


def workplace(network: Network, nodes: int, width: int, share: int = 0) -> Room:
    """Room for trees of so many nodes of this width, for the thread that has this share.

    It is the same at every search, for fresh memory costs more than a search.
    """
    return _room(nodes, width, share, network.size, network.width)


@lru_cache(maxsize=8)
def _room(nodes: int, width: int, share: int, size: int, row: int) -> Room:
    return Room(
        trees=plant(TILE, nodes, width),
        latents=room_for((nodes * TILE, size), np.float32),
        no_action=np.zeros(TILE, np.int64),
        scratch=room_for(TILE * row, np.float32),
        leaves=leaves_of(TILE, width),
    )


class Copies:
    """Where the numbers of all layers come from, and where they stand in a network."""

    def __init__(self, layers: list[DenseLayer], places: list[list[int]]) -> None:
        """places: of each layer, as `kernels.lay_out` reads them."""
        self._parts: list[list[Tensor | None]] = [
            [layer.weight for layer in layers],
            [layer.offset for layer in layers],
            [layer.by_action for layer in layers],
        ]
        self._tensors = [part for parts in self._parts for part in parts if part is not None]
        self._places, self._pointers = np.array(places), [0]

    @property
    def on_cpu(self) -> bool:
        return self._tensors[0].is_cpu

    def sources(self) -> tuple[Whole, Arrays, Arrays, Arrays]:
        """What `kernels.lay_out` copies from."""
        pointers = [tensor.data_ptr() for tensor in self._tensors]
        if pointers != self._pointers:  # a view of a tensor costs more than to copy it
            weights, offsets, by_action = map(_arrays, self._parts)
            self._sources = (self._places, weights, offsets, by_action)
            self._pointers = pointers
        return self._sources


def _arrays(parts: list[Tensor | None]) -> Arrays:
    """In their place; of what a layer has not, an empty one."""
    empty = np.empty((0, 0), np.float32)
    return tuple(empty if part is None else part.detach().numpy() for part in parts)


class Layout:
    """Places in a row, and the layers that are to be laid out."""

    def __init__(self) -> None:
        self.width = 0
        self.ops: list[list[int]] = []
        self._layers: list[tuple[list[DenseLayer], int, int]] = []
        self._weights = self._offsets = 0

    def reserve(self, size: int) -> int:
        """A place for so many numbers, in whole panels."""
        place, self.width = self.width, self.width + _panels(size) * PANEL
        return place

    @property
    def weights(self) -> int:
        """How many there are."""
        return self._weights

    def layers(
        self, side_by_side: list[DenseLayer], source: int, target: int, relu: bool, added: int = -1
    ) -> None:
        """Layers that read the same numbers, as one."""
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
        self.ops.append([kind, place, size, *[0] * 7])

    def arrays(self) -> tuple[Floats32, Floats32, Copies]:
        """Weights and offsets, all 0 as yet, and what is to be copied there."""
        weights, offsets = room_for(self._weights, np.float32), room_for(self._offsets, np.float32)
        weights[:], offsets[:] = 0.0, 0.0
        every, places = [], []
        for layers, weights_at, offset_at in self._layers:
            column, width = 0, _panels(sum(len(layer.weight) for layer in layers)) * PANEL
            for layer in layers:
                every.append(layer)
                places.append([weights_at, column, offset_at, width])
                column += len(layer.weight)
        return weights, offsets, Copies(every, places)


def _panels(size: int) -> int:
    return -(-size // PANEL)


@dataclass(frozen=True)
class _LaidOut:
    """A model laid out once, and what is copied anew before every search."""

    network: Network
    uncut: Network
    """The same, which asks for no termination."""
    copies: Copies

    def renewed(self, cut: bool) -> Network:
        lay_out(self.network, self.copies.sources())
        return self.network if cut else self.uncut


def _lay_out(model: DenseModel) -> _LaidOut:
    layout = Layout()
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
    return _LaidOut(network, network._replace(termination=-1), copies)


def _heads(layout: Layout, state: DenseHead, edge: DenseHead, latent: int) -> tuple[int, int]:
    """Both heads, their hidden layers as one. Where what they write stands."""
    hidden = [state.hidden, edge.hidden]
    place = layout.reserve(sum(len(layer.weight) for layer in hidden))
    layout.layers(hidden, latent, place, relu=True)
    written = []
    for head in (state, edge):
        written.append(layout.reserve(len(head.out.weight)))
        layout.layers([head.out], place, written[-1], relu=False)
        place += len(head.hidden.weight)
    return written[0], written[1]


_laid_out: WeakKeyDictionary[WorldModel, _LaidOut | None] = WeakKeyDictionary()


def network_of(model: WorldModel, cut: bool) -> Network | None:
    """The model laid out as its weights are now; None if it is more than dense layers.

    The weights are copied for every search: an optimiser that is one fused kernel does not count in
    `Tensor._version` what it writes. What stands where is settled once.

    Args:
        cut: whether a predicted termination lessens the discount.
    """
    try:
        found = _laid_out[model]
    except KeyError:
        dense = model.dense()
        found = _laid_out[model] = None if dense is None else _lay_out(dense)
    return found.renewed(cut) if found is not None and found.copies.on_cpu else None
