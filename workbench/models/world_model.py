"""What every world model is: the verbs represent, step, predict, observe, decode."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor, nn

from workbench.types import Edge, Heads, Latent, ModelSpec, State, Unroll, map_tensors

if TYPE_CHECKING:
    from workbench.models.dense import DenseEncoder, DenseModel
    from workbench.models.value_encoding import Codec


class WorldModel(nn.Module, ABC):
    """s_0 = h(o); s_k, r_k = g(s_{k-1}, a_k); p_k, v_k = f(s_k) (MuZero, eq. 1)."""

    spec: ModelSpec

    @abstractmethod
    def represent(
        self, observation: Tensor, generator: Generator, state: State | None = None
    ) -> Latent:
        """h: [B, *observation] -> latent. `state` is the world's, for a model that simulates it."""

    @abstractmethod
    def step(self, latent: Latent, action: Tensor, generator: Generator) -> tuple[Latent, Edge]:
        """g: latent and action [B] (or the outcome, at a chance node) -> next latent and edge."""

    @abstractmethod
    def predict(self, latent: Latent) -> Heads:
        """f: what is predicted at a latent."""

    def observe(
        self,
        latent: Latent,
        action: Tensor,
        observation: Tensor,
        generator: Generator,
        state: State | None = None,
    ) -> Latent:
        """The latent after a real step. A model without memory represents the observation anew."""
        return self.represent(observation, generator, state)

    def decode(self, latent: Latent) -> Tensor:
        """The observation that a latent stands for, where the model has a decoder."""
        raise TypeError(f"{type(self).__name__} has no decoder")

    def dense(self) -> DenseModel | None:
        """Its `step` and `predict` as dense layers, if they are nothing else: searched faster."""
        return None

    def dense_encoder(self) -> DenseEncoder | None:
        """Its `represent` as dense layers, if it is nothing else."""
        return None

    def code(self, latent: Latent) -> Tensor:
        """What h encodes and g imagines: [B, *spec.latent.shape]. Of one tensor, it is all of it.

        Raises:
            TypeError: the latent is a record, and the model does not say which tensor of it.
        """
        if isinstance(latent, Tensor):
            return latent
        raise TypeError(f"{type(self).__name__} has no code: a latent is a {type(latent).__name__}")

    @property
    def device(self) -> torch.device:
        """Where the networks live. Environments and plans stay on the CPU."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))

    @property
    def codecs(self) -> dict[str, Codec]:
        """How its scalar heads are written, by head; losses ask it."""
        return {}

    def parts(self) -> dict[str, nn.Module]:
        """Named parts, whose parameters are counted and may be optimised apart."""
        return {"model": self}

    def unroll(
        self, latent: Latent, actions: Tensor, generator: Generator, gradient_scale: float
    ) -> Unroll:
        """Follow `actions` [B, K, ...] from `latent`.

        The gradient that flows from a later step into an earlier recurrent one is scaled by
        `gradient_scale`; a step's own heads get theirs whole (MuZero, appendix G).
        """
        latents, edges = [latent], []
        for k in range(actions.shape[1]):
            carried = latent if k == 0 else scale_gradient(latent, gradient_scale)
            latent, edge = self.step(carried, actions[:, k], generator)
            latents.append(latent)
            edges.append(edge)
        return Unroll(tuple(latents), self.predict_all(latents), stack(edges))

    def predict_all(self, latents: Sequence[Latent]) -> Heads:
        """What is predicted at each of K+1 latents: [B, K+1, ...]"""
        heads: Heads = stack([self.predict(latent) for latent in latents])
        return heads


def scale_gradient(latent: Latent, scale: float) -> Latent:
    """The latent itself, with its gradient scaled on the way back."""

    def scaled(tensor: Tensor) -> Tensor:
        return tensor.lerp(tensor.detach(), 1 - scale) if tensor.is_floating_point() else tensor

    return map_tensors(scaled, latent)


def stack(records: Sequence[Any]) -> Any:
    """Records of [B, ...] as one record of [B, len(records), ...]; an empty list as None."""
    if not records:
        return None
    return map_tensors(lambda *tensors: torch.stack(tensors, 1), *records)


def count_parameters(model: WorldModel) -> dict[str, int]:
    """Parameters of each part and in total, frozen ones included."""
    parts = {
        name: sum(parameter.numel() for parameter in part.parameters())
        for name, part in model.parts().items()
    }
    return parts | {"total": sum(parameter.numel() for parameter in model.parameters())}
