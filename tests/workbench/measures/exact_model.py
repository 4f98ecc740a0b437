"""A model that follows the true environment; a test states its predictions from its inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor

from workbench.environments.games.game_table import GameTableEnvironment
from workbench.measures.exact.solved_sequences import evaluation_set
from workbench.measures.prediction.evaluation_set import EvaluationSet
from workbench.models.world_model import WorldModel
from workbench.types import Edge, Heads, LatentSpec, ModelSpec


@dataclass(frozen=True)
class ExactLatent:
    """Environment state, and the model's memory."""

    state: Any
    code: Tensor  # [B, ...]


class ExactModel(WorldModel):
    """h is `encode` of the observation; g is h of the true next one, or `imagine` of the code.

    Reward, discount and end are those of the environment, changed by `edge`. Value and policy are
    functions of (state, code); the value is 0 and the policy uniform by default.
    """

    def __init__(
        self,
        environment: Any,
        encode: Callable[[Tensor], Tensor] = lambda observation: observation.flatten(1).float(),
        imagine: Callable[[Tensor, Tensor], Tensor] | None = None,
        edge: Callable[[Edge], Edge] = lambda edge: edge,
        value: Callable[[Any, Tensor], Tensor] = lambda state, code: torch.zeros(len(code)),
        policy: Callable[[Any, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        actions = environment.spec.actions
        self.spec = ModelSpec(LatentSpec("vector", ()), actions, frozenset(), needs_state=True)
        self.environment, self._encode, self._imagine, self._edge = (
            environment,
            encode,
            imagine,
            edge,
        )
        self._value, self._policy = value, policy

    def represent(
        self, observation: Tensor, generator: Generator, state: Any = None
    ) -> ExactLatent:
        assert torch.equal(observation, self.environment.observe(state))
        return ExactLatent(state, self._encode(observation))

    def step(
        self, latent: ExactLatent, action: Tensor, generator: Generator
    ) -> tuple[ExactLatent, Edge]:
        then, real = self.environment.step(latent.state, action, generator)
        if self._imagine is None:
            code = self._encode(self.environment.observe(then))
        else:
            code = self._imagine(latent.code, action)
        return ExactLatent(then, code), self._edge(Edge(real.reward, real.discount))

    def predict(self, latent: ExactLatent) -> Heads:
        policy = torch.zeros(len(latent.code), self.spec.actions)
        if self._policy is not None:
            policy = self._policy(latent.state, latent.code)
        value = self._value(latent.state, latent.code)
        return Heads(policy, value, legal=self.environment.legal(latent.state))

    def latent_tensor(self, latent: ExactLatent) -> Tensor:
        return latent.code


class Decoding(ExactModel):
    """One that also tells what it thinks it sees, from its code."""

    def __init__(self, environment: Any, decode: Callable[[Tensor], Tensor]) -> None:
        super().__init__(environment)
        self.spec = replace(self.spec, heads=frozenset({"observation"}))
        self._decode = decode

    def decode(self, latent: ExactLatent) -> Tensor:
        return self._decode(latent.code)


def sequences(environment: GameTableEnvironment, depth: int) -> EvaluationSet:
    return evaluation_set(environment, environment.positions(), depth)
