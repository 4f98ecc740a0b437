"""Models joined from parts: with learned dynamics, or with the simulator in their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn

from workbench.contracts import Prediction
from workbench.models.dense import DenseEncoder, DenseModel
from workbench.models.dynamics.networks.noise import GaussianWalk
from workbench.models.layers import LatentNorm, as_input
from workbench.models.value_encoding import Codec
from workbench.models.world_model import WorldModel, scale_gradient, stack
from workbench.types import Edge, Environment, Heads, Latent, ModelSpec, State, Unroll, map_tensors


class LearnedModel(WorldModel):
    """h, g and f all learned. A latent is one tensor."""

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

    def represent(
        self, observation: Tensor, generator: Generator, state: State | None = None
    ) -> Tensor:
        latent: Tensor = self.norm(self.representation(as_input(observation, self.device)))
        return latent

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        latent = self.imagine(latent, action)
        return latent, self.edge(latent)

    def predict(self, latent: Tensor) -> Heads:
        heads: Heads = self.prediction.heads(latent)
        return heads

    def decode(self, latent: Tensor) -> Tensor:
        return super().decode(latent) if self.decoder is None else self.decoder(latent)

    @property
    def codecs(self) -> dict[str, Codec]:
        return dict(self.prediction.codecs)

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
        """As of any world model, with the heads of all steps computed in one call."""
        latents = [latent]
        for k in range(actions.shape[1]):
            carried = latent if k == 0 else scale_gradient(latent, gradient_scale)
            latent = self.imagine(carried, actions[:, k])
            latents.append(latent)
        edges = _over_time(self.edge, latents[1:]) if len(latents) > 1 else None
        return Unroll(tuple(latents), self.predict_all(latents), edges)

    def predict_all(self, latents: Sequence[Latent]) -> Heads:
        heads: Heads = _over_time(self.predict, latents)
        return heads

    @torch.no_grad()
    def dense(self) -> DenseModel | None:
        """g, f as dense layers, where that is all they are."""
        if not (hasattr(self.dynamics, "dense") and hasattr(self.prediction, "dense")):
            return None
        state, edge = self.prediction.dense()
        codecs = self.prediction.codecs
        return DenseModel(
            transition=cast(Any, self.dynamics).dense(),
            norm=self.norm.kind,
            state=state,
            edge=edge,
            value=codecs["value"].scale,
            reward=codecs["reward"].scale,
            discount=self._discount,
        )

    @torch.no_grad()
    def dense_encoder(self) -> DenseEncoder | None:
        """h as dense layers, where that is all it is."""
        if not hasattr(self.representation, "dense"):
            return None
        return DenseEncoder(cast(Any, self.representation).dense(), self.norm.kind)

    def imagine(self, latent: Tensor, action: Tensor) -> Tensor:
        """The next latent alone."""
        then: Tensor = self.norm(self.dynamics(latent, action))
        return then

    def edge(self, latent: Tensor) -> Edge:
        """Of the way that led to `latent`."""
        raw = self.prediction.edge(latent)
        reward = self.prediction.codecs["reward"].decode(raw["reward"])
        discount = torch.full_like(reward, self._discount)
        return Edge(reward, discount, raw["termination"].sigmoid(), raw)


def _over_time(function: Callable[[Latent], Any], latents: Sequence[Latent]) -> Any:
    """What a function of [B, ...] makes of K latents, called once: [B, K, ...]"""
    joined = map_tensors(lambda tensor: tensor.flatten(0, 1), stack(latents))
    return map_tensors(lambda tensor: tensor.unflatten(0, (-1, len(latents))), function(joined))


@dataclass(frozen=True)
class Simulated:
    """The latent of a simulator: where the world stands, and how the agent sees it."""

    state: State
    walk: Tensor | None  # [B, *latent] of the noise, where there is any
    code: Tensor  # [B, *latent]


class SimulatedModel(WorldModel):
    """The true environment in the place of g; h and f learned (AlphaZero, with h over planes).

    What is encoded of a true next observation may be blurred by `noise`.
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

    def represent(
        self, observation: Tensor, generator: Generator, state: State | None = None
    ) -> Simulated:
        seen = self._see(observation)
        return Simulated(state, self.noise.begin(seen), self.norm(seen))

    def step(self, latent: Latent, action: Tensor, generator: Generator) -> tuple[Simulated, Edge]:
        state, transition = self._environment.step(
            latent.state, self._allowed(latent.state, action.cpu()), generator
        )
        seen = self._see(self._environment.observe(state))
        blurred, walk = self.noise(seen, latent.walk, generator)
        edge = Edge(transition.reward, transition.discount)
        return Simulated(state, walk, self.norm(blurred)), edge

    def predict(self, latent: Latent) -> Heads:
        heads = self.prediction.heads(latent.code)
        legal = self._environment.legal(latent.state).to(self.device)
        return Heads(heads.policy, heads.value, legal=legal, raw=heads.raw)

    def decode(self, latent: Latent) -> Tensor:
        return super().decode(latent) if self.decoder is None else self.decoder(latent.code)

    def code(self, latent: Latent) -> Tensor:
        code: Tensor = latent.code
        return code

    @property
    def codecs(self) -> dict[str, Codec]:
        return dict(self.prediction.codecs)

    def parts(self) -> dict[str, nn.Module]:
        return {
            "representation": self.representation,
            "prediction": self.prediction,
            **({"decoder": self.decoder} if self.decoder is not None else {}),
        }

    def _allowed(self, state: State, action: Tensor) -> Tensor:
        """The moves, or where the world forbids one, the first that is legal.

        Nobody looks at what comes of it: a full tree masks illegal moves, and what is unrolled past
        the cut of a sequence is masked in the losses.
        """
        legal = self._environment.legal(state)
        fits = legal.gather(1, action[:, None]).squeeze(1)
        return action.where(fits, legal.int().argmax(-1))

    def _see(self, observation: Tensor) -> Tensor:
        """What h makes of it, not yet scaled."""
        seen: Tensor = self.representation(as_input(observation, self.device))
        return seen
