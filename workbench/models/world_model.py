"""Base class of world models: the verbs represent, step, predict, observe, decode."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor, nn

from workbench.types import Edge, Heads, Latent, ModelSpec, State, Unroll, tree_map

if TYPE_CHECKING:
    from workbench.models.dense import DenseEncoder, DenseModel
    from workbench.models.value_encoding import ValueEncoding


class WorldModel(nn.Module, ABC):
    """s_0 = h(o); s_k, r_k = g(s_{k-1}, a_k); p_k, v_k = f(s_k) (MuZero, eq. 1)."""

    spec: ModelSpec

    @abstractmethod
    def represent(
        self, observation: Tensor, generator: Generator, state: State | None = None
    ) -> Latent:
        """h: [B, *observation] -> latent. A simulating model needs the environment's `state`."""

    @abstractmethod
    def step(self, latent: Latent, action: Tensor, generator: Generator) -> tuple[Latent, Edge]:
        """g: latent and action [B] (an outcome at a chance node) to next latent and edge."""

    @abstractmethod
    def predict(self, latent: Latent) -> Heads:
        """f: predictions at a latent."""

    def observe(
        self,
        latent: Latent,
        action: Tensor,
        observation: Tensor,
        generator: Generator,
        state: State | None = None,
    ) -> Latent:
        """Latent after a real step. A model without memory encodes the new observation."""
        return self.represent(observation, generator, state)

    def decode(self, latent: Latent) -> Tensor:
        """Decode a latent to an observation, if the model has a decoder."""
        raise TypeError(f"{type(self).__name__} has no decoder")

    def dense(self) -> DenseModel | None:
        """Description of `step` and `predict` as dense layers; None if they are not dense."""
        return None

    def dense_encoder(self) -> DenseEncoder | None:
        """Description of `represent` as dense layers; None if not dense."""
        return None

    def latent_tensor(self, latent: Latent) -> Tensor:
        """[B, *spec.latent.shape] The tensor of a latent that h encodes and g steps.

        Raises:
            TypeError: the latent is a record, and the model does not define its tensor.
        """
        if isinstance(latent, Tensor):
            return latent
        raise TypeError(f"{type(self).__name__} has no code: a latent is a {type(latent).__name__}")

    @property
    def device(self) -> torch.device:
        """Device of the networks. Environments and plans stay on the CPU."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))

    @property
    def value_encodings(self) -> dict[str, ValueEncoding]:
        """Encodings of the scalar heads, by head; losses use them."""
        return {}

    def parts(self) -> dict[str, nn.Module]:
        """Named parts, whose parameters are counted and may be optimised separately."""
        return {"model": self}

    def unroll(
        self, latent: Latent, actions: Tensor, generator: Generator, gradient_scale: float
    ) -> Unroll:
        """Unroll `actions` [B, K, ...] from `latent`.

        The gradient from a later step into an earlier recurrent one is scaled by `gradient_scale`;
        the gradient of a step's own heads is not (MuZero, appendix G).
        """
        latents, edges = [latent], []
        for k in range(actions.shape[1]):
            carried = latent if k == 0 else scale_gradient(latent, gradient_scale)
            latent, edge = self.step(carried, actions[:, k], generator)
            latents.append(latent)
            edges.append(edge)
        return Unroll(tuple(latents), self.predict_all(latents), stack(edges))

    def predict_all(self, latents: Sequence[Latent]) -> Heads:
        """[B, K+1, ...] Predictions at each of K+1 latents."""
        heads: Heads = stack([self.predict(latent) for latent in latents])
        return heads


def scale_gradient(latent: Latent, scale: float) -> Latent:
    """Return the latent itself; its gradient is scaled in the backward pass."""

    def scaled(tensor: Tensor) -> Tensor:
        return tensor.lerp(tensor.detach(), 1 - scale) if tensor.is_floating_point() else tensor

    return tree_map(scaled, latent)


def stack(records: Sequence[Any]) -> Any:
    """Stack records of [B, ...] to one record of [B, len(records), ...]; None for an empty list."""
    if not records:
        return None
    return tree_map(lambda *tensors: torch.stack(tensors, 1), *records)


def count_parameters(model: WorldModel) -> dict[str, int]:
    """Return the number of parameters of each part and in total, including frozen ones."""
    parts = {
        name: sum(parameter.numel() for parameter in part.parameters())
        for name, part in model.parts().items()
    }
    return parts | {"total": sum(parameter.numel() for parameter in model.parameters())}
