"""Composed models: representation, dynamics and prediction, or the simulator as dynamics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn
from typing_extensions import override

from workbench.contracts import Prediction
from workbench.models.dense import DenseEncoder, DenseModel
from workbench.models.dynamics.networks.noise import GaussianWalk
from workbench.models.layers import LatentNorm, as_input
from workbench.models.value_encoding import ValueEncoding
from workbench.models.world_model import WorldModel, scale_gradient, stack
from workbench.types import Edge, Environment, Heads, Latent, ModelSpec, State, Unroll, tree_map


class LearnedModel(WorldModel):
    """World model with learned h, g and f. A latent is one tensor."""

    def __init__(
        self,
        spec: ModelSpec,
        representation: nn.Module,
        dynamics: nn.Module,
        prediction: Prediction,
        norm: LatentNorm,
        discount: float,
        decoder: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.representation, self.dynamics, self.norm = representation, dynamics, norm
        self.prediction = cast(Any, prediction)
        self.decoder = decoder
        self._discount = discount

    @override
    def represent(
        self, observation: Tensor, generator: Generator, state: State | None = None
    ) -> Tensor:
        latent: Tensor = self.norm(self.representation(as_input(observation, self.device)))
        return latent

    @override
    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        latent = self.imagine(latent, action)
        return latent, self.edge(latent)

    @override
    def predict(self, latent: Tensor) -> Heads:
        heads: Heads = self.prediction.heads(latent)
        return heads

    @override
    def decode(self, latent: Tensor) -> Tensor:
        return super().decode(latent) if self.decoder is None else self.decoder(latent)

    @property
    @override
    def value_encodings(self) -> dict[str, ValueEncoding]:
        return dict(self.prediction.value_encodings)

    @override
    def parts(self) -> dict[str, nn.Module]:
        return {
            "representation": self.representation,
            "dynamics": self.dynamics,
            "prediction": self.prediction,
            **({"decoder": self.decoder} if self.decoder is not None else {}),
        }

    def unroll(
        self, latent: Tensor, actions: Tensor, generator: Generator, gradient_scale: float
    ) -> Unroll:
        """Unroll as every world model, with one call of the heads for all steps."""
        latents = [latent]
        for k in range(actions.shape[1]):
            carried = latent if k == 0 else scale_gradient(latent, gradient_scale)
            latent = self.imagine(carried, actions[:, k])
            latents.append(latent)
        edges = _apply_to_steps(self.edge, latents[1:]) if len(latents) > 1 else None
        return Unroll(tuple(latents), self.predict_all(latents), edges)

    @override
    def predict_all(self, latents: Sequence[Latent]) -> Heads:
        heads: Heads = _apply_to_steps(self.predict, latents)
        return heads

    @torch.no_grad()
    def dense(self) -> DenseModel | None:
        """Description of g and f as dense layers; None if they contain other layers."""
        if not (hasattr(self.dynamics, "dense") and hasattr(self.prediction, "dense")):
            return None
        state, edge = self.prediction.dense()
        value_encodings = self.prediction.value_encodings
        return DenseModel(
            transition=cast(Any, self.dynamics).dense(),
            norm=self.norm.kind,
            state=state,
            edge=edge,
            value=value_encodings["value"].scale,
            reward=value_encodings["reward"].scale,
            discount=self._discount,
        )

    @torch.no_grad()
    def dense_encoder(self) -> DenseEncoder | None:
        """Description of h as dense layers; None if it contains other layers."""
        if not hasattr(self.representation, "dense"):
            return None
        return DenseEncoder(cast(Any, self.representation).dense(), self.norm.kind)

    def imagine(self, latent: Tensor, action: Tensor) -> Tensor:
        """Return the next latent without its heads."""
        then: Tensor = self.norm(self.dynamics(latent, action))
        return then

    def edge(self, latent: Tensor) -> Edge:
        """Return reward and termination predicted for the transition to `latent`."""
        raw = self.prediction.edge(latent)
        reward = self.prediction.value_encodings["reward"].decode(raw["reward"])
        discount = torch.full_like(reward, self._discount)
        return Edge(reward, discount, raw["termination"].sigmoid(), raw)


def _apply_to_steps(function: Callable[[Latent], Any], latents: Sequence[Latent]) -> Any:
    """[B, K, ...] Apply a function of [B, ...] to K latents in one call."""
    joined = tree_map(lambda tensor: tensor.flatten(0, 1), stack(latents))
    return tree_map(lambda tensor: tensor.unflatten(0, (-1, len(latents))), function(joined))


@dataclass(frozen=True)
class Simulated:
    """Latent of a simulator: the environment state and its encoding by the agent."""

    state: State
    noise: Tensor | None  # [B, *latent] accumulated noise, if any
    latent: Tensor  # [B, *latent] encoding of the state


class SimulatedModel(WorldModel):
    """World model with the true environment as g; h and f are learned (AlphaZero with an encoder).

    The encoding of a true next observation may be perturbed by `noise`.
    """

    def __init__(
        self,
        spec: ModelSpec,
        representation: nn.Module,
        noise: nn.Module,
        prediction: Prediction,
        norm: nn.Module,
        environment: Environment,
        decoder: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.representation, self.norm = representation, norm
        self.noise = cast(GaussianWalk, noise)
        self.prediction = cast(Any, prediction)
        self.decoder = decoder
        self._environment = environment

    @override
    def represent(
        self, observation: Tensor, generator: Generator, state: State | None = None
    ) -> Simulated:
        seen = self._encode(observation)
        return Simulated(state, self.noise.begin(seen), self.norm(seen))

    @override
    def step(self, latent: Latent, action: Tensor, generator: Generator) -> tuple[Simulated, Edge]:
        state, transition = self._environment.step(
            latent.state, self._replace_illegal(latent.state, action.cpu()), generator
        )
        seen = self._encode(self._environment.observe(state))
        blurred, walk = self.noise(seen, latent.noise, generator)
        edge = Edge(transition.reward, transition.discount)
        return Simulated(state, walk, self.norm(blurred)), edge

    @override
    def predict(self, latent: Latent) -> Heads:
        heads = self.prediction.heads(latent.latent)
        legal = self._environment.legal(latent.state).to(self.device)
        return Heads(heads.policy, heads.value, legal=legal, raw=heads.raw)

    @override
    def decode(self, latent: Latent) -> Tensor:
        return super().decode(latent) if self.decoder is None else self.decoder(latent.latent)

    @override
    def latent_tensor(self, latent: Latent) -> Tensor:
        code: Tensor = latent.latent
        return code

    @property
    @override
    def value_encodings(self) -> dict[str, ValueEncoding]:
        return dict(self.prediction.value_encodings)

    @override
    def parts(self) -> dict[str, nn.Module]:
        return {
            "representation": self.representation,
            "prediction": self.prediction,
            **({"decoder": self.decoder} if self.decoder is not None else {}),
        }

    def _replace_illegal(self, state: State, action: Tensor) -> Tensor:
        """Replace illegal actions by the first legal one.

        The result of such a step is not used: a full tree masks illegal actions, and losses mask
        unrolls past the end of a stored sequence.
        """
        legal = self._environment.legal(state)
        fits = legal.gather(1, action[:, None]).squeeze(1)
        return action.where(fits, legal.int().argmax(-1))

    def _encode(self, observation: Tensor) -> Tensor:
        """Encode the observation, before normalisation."""
        seen: Tensor = self.representation(as_input(observation, self.device))
        return seen
