"""A dense model laid out for the kernels of `kernels.evaluate`, and laid out anew as it learns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.models.dense import DenseHead, DenseLayer, DenseModel
from workbench.models.world_model import WorldModel
from workbench.planning.tree.kernels import (
    L2,
    LAYER_NORM,
    MIN_MAX,
    PANEL,
    PLAIN,
    PRODUCT,
    SYMLOG,
    TILE,
    H,
)
from workbench.planning.tree.trees import Leaves

NORMS = {"min_max": MIN_MAX, "layer_norm": LAYER_NORM, "l2": L2}
TRANSFORMS = {"none": PLAIN, "h": H, "symlog": SYMLOG}


class Network(NamedTuple):
    """Layers over the places of a row of numbers; a latent to step stands at its beginning."""

    ops: NDArray[np.int64]  # [layers, 10] as `kernels._multiply` and `kernels.evaluate` read them
    weights: NDArray[np.float32]  # matrices as panels of columns: [panels, inputs, PANEL] each
    offsets: NDArray[np.float32]  # [columns] each, or [A, columns]
    support: NDArray[np.float32]  # atoms of the scalars
    scalars: NDArray[np.int64]  # [2, 4] of value and reward: place, size, transform, atoms
    size: int  # of a latent
    width: int  # of a row
    latent: int  # where the next latent stands
    policy: int  # where the logits stand
    actions: int
    termination: int  # where its logit stands; -1 if it is not to be used
    discount: float


class Room(NamedTuple):
    """Where one thread works: rows for a tile of trees."""

    latents: NDArray[np.float32]  # [B, N+1, size] of all trees
    scratch: NDArray[np.float32]  # [TILE * width]
    leaves: Leaves


def workplace(network: Network, latents: NDArray[np.float32], actions: int) -> Room:
    """Room for one thread."""
    numbers = np.empty((3, TILE), np.float32)
    return Room(
        latents=latents,
        scratch=np.empty(TILE * network.width, np.float32),
        leaves=Leaves(
            reward=numbers[0],
            discount=numbers[1],
            prior=np.empty((TILE, actions)),
            value=numbers[2],
            at_chance=np.zeros(TILE, np.bool_),
        ),
    )


class _Layout:
    """Places in a row, and the arrays that grow with every layer."""

    def __init__(self) -> None:
        self.width = 0
        self.ops: list[list[int]] = []
        self.weights: list[NDArray[np.float32]] = []
        self.offsets: list[NDArray[np.float32]] = []

    def reserve(self, size: int) -> int:
        """A place for so many numbers, in whole panels."""
        place, self.width = self.width, self.width + _panels(size) * PANEL
        return place

    def layer(
        self, layer: DenseLayer, source: int, target: int, relu: bool, added: int = -1
    ) -> None:
        outputs, inputs = layer.weight.shape
        panels = _panels(outputs)
        matrix = np.zeros((inputs, panels * PANEL), np.float32)
        matrix[:, :outputs] = layer.weight.detach().numpy().T
        offset = np.zeros((*layer.offset.shape[:-1], panels * PANEL), np.float32)
        offset[..., :outputs] = layer.offset.detach().numpy()
        by_action = panels * PANEL if layer.offset.dim() == 2 else 0
        ends = [sum(part.size for part in parts) for parts in (self.weights, self.offsets)]
        self.ops.append(
            [PRODUCT, source, inputs, target, panels, *ends, by_action, int(relu), added]
        )
        self.weights.append(matrix.reshape(inputs, panels, PANEL).swapaxes(0, 1).ravel())
        self.offsets.append(offset.ravel())

    def norm(self, kind: int, place: int, size: int) -> None:
        self.ops.append([kind, place, size, *[0] * 7])


def _panels(size: int) -> int:
    return -(-size // PANEL)


def lay_out(model: DenseModel, cut: bool) -> Network:
    """With `cut`, a predicted termination lessens the discount."""
    layout = _Layout()
    size = model.state.hidden.weight.shape[1]
    latent = layout.reserve(size)
    if model.transition:
        step = model.transition
        hidden = layout.reserve(len(step.hidden.weight))
        layout.layer(step.hidden, latent, hidden, relu=True)
        then = layout.reserve(size)
        layout.layer(step.out, hidden, then, relu=False, added=latent)
        latent = then
    if model.norm in NORMS:
        layout.norm(NORMS[model.norm], latent, size)
    state, edge = _heads(layout, model.state, model.edge, latent)
    actions = len(model.state.out.weight) - model.value.size
    scalars = [(model.value, state + actions), (model.reward, edge)]
    atoms = [scale.support.numpy() for scale, _ in scalars]
    return Network(
        ops=np.array(layout.ops),
        weights=np.concatenate(layout.weights),
        offsets=np.concatenate(layout.offsets),
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
        termination=edge + model.reward.size if cut else -1,
        discount=model.discount,
    )


def _heads(layout: _Layout, state: DenseHead, edge: DenseHead, latent: int) -> tuple[int, int]:
    """Both heads, their hidden layers as one. Where what they write stands."""
    hidden = [state.hidden, edge.hidden]
    joined = DenseLayer(
        torch.cat([layer.weight for layer in hidden]), torch.cat([layer.offset for layer in hidden])
    )
    place = layout.reserve(len(joined.weight))
    layout.layer(joined, latent, place, relu=True)
    written = []
    for head in (state, edge):
        written.append(layout.reserve(len(head.out.weight)))
        layout.layer(head.out, place, written[-1], relu=False)
        place += len(head.hidden.weight)
    return written[0], written[1]


def network_of(model: WorldModel, cut: bool) -> Network | None:
    """The model laid out as its weights are now; None if it is more than dense layers.

    Laid out anew for every search: an optimiser that is one fused kernel does not count in
    `Tensor._version` what it writes.
    """
    dense = model.dense() if model.device.type == "cpu" else None
    return None if dense is None else lay_out(dense, cut)
