"""Trained models with dynamics, prior or value substituted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Generator, Tensor
from typing_extensions import override

from workbench.measures.exact.solved_positions import CHUNK
from workbench.models.world_model import WorldModel
from workbench.types import Edge, Heads, Latent, SolvedEnvironment, State, gather, tree_map


@dataclass(frozen=True)
class Substitution:
    """Substitutes in every node of a search."""

    dynamics: Literal["learned", "true"] = "learned"
    """`true`: next state, reward, termination and legal actions of the environment;

    h encodes states.
    """
    prior: Literal["learned", "uniform"] = "learned"
    value: Literal["learned", "oracle"] = "learned"
    truth_at: int | None = None
    """Depth at which reward, termination and value are true, whatever else is learned."""


@dataclass(frozen=True)
class LatentWithState:
    """A latent of the agent with the true environment state."""

    latent: Latent
    state: State
    known: Tensor  # [B] bool; False after an illegal action
    depth: Tensor  # [B] int64, 0 at the root


class OracleSubstitutedModel(WorldModel):
    """The agent's own networks, with substitutes for some of them.

    A learned model may unroll illegal actions. No true state follows one, so later predictions stay
    the learned ones.
    """

    def __init__(
        self, agent: WorldModel, environment: SolvedEnvironment, replacement: Substitution
    ) -> None:
        super().__init__()
        self.agent, self._environment, self._how = agent, environment, replacement
        heads = agent.spec.heads | ({"legal"} if replacement.dynamics == "true" else set())
        self.spec = replace(agent.spec, heads=frozenset(heads), needs_state=True)

    @override
    def represent(
        self, observation: Tensor, generator: Generator, state: State | None = None
    ) -> LatentWithState:
        latent = self.agent.represent(observation, generator, state)
        known = torch.ones(len(observation), dtype=torch.bool)
        return LatentWithState(
            latent, state, known, torch.zeros(len(observation), dtype=torch.int64)
        )

    @override
    def step(
        self, latent: LatentWithState, action: Tensor, generator: Generator
    ) -> tuple[LatentWithState, Edge]:
        known, move = self._allowed(latent, action.cpu())
        state, true = self._environment.step(latent.state, move, generator)
        depth = latent.depth + 1
        if self._how.dynamics == "true":
            seen = self.agent.represent(self._environment.observe(state), generator, state)
            return LatentWithState(seen, state, known, depth), Edge(true.reward, true.discount)
        then, edge = self.agent.step(latent.latent, action, generator)
        if self._how.truth_at is not None:
            corrected = known & (depth == self._how.truth_at)
            ended = torch.zeros(()) if edge.termination is None else edge.termination.cpu()
            edge = Edge(
                reward=true.reward.where(corrected, edge.reward.cpu()),
                discount=true.discount.where(corrected, edge.discount.cpu()),
                termination=true.terminated.float().where(corrected, ended),
            )
        return LatentWithState(then, state, known, depth), edge

    @override
    def predict(self, latent: LatentWithState) -> Heads:
        heads = tree_map(lambda tensor: tensor.cpu(), self.agent.predict(latent.latent))
        policy, value, legal = heads.policy, heads.value, heads.legal
        if self._how.prior == "uniform":
            policy = torch.zeros_like(policy)
        corrected = latent.known & self._is_corrected(latent.depth)
        rows = corrected.nonzero().flatten()
        if len(rows):
            value = value.index_put((rows,), self._environment.value(gather(latent.state, rows)))
        if self._how.dynamics == "true":
            legal = self._environment.legal(latent.state)
        return Heads(policy, value, legal=legal)

    def _is_corrected(self, depth: Tensor) -> Tensor:
        """[B] bool mask of nodes whose value is the oracle's."""
        if self._how.value == "oracle":
            return torch.ones_like(depth, dtype=torch.bool)
        at = self._how.truth_at
        return torch.zeros_like(depth, dtype=torch.bool) if at is None else depth == at

    def _allowed(self, latent: LatentWithState, action: Tensor) -> tuple[Tensor, Tensor]:
        """Return whether states stay known after the actions, and legal actions in their place."""
        legal = self._environment.legal(latent.state)
        over = ~legal.any(-1)
        allowed = legal.gather(1, action[:, None]).squeeze(1) | over
        return latent.known & allowed, action.where(allowed, legal.int().argmax(-1))


class CachedModel(WorldModel):
    """Cached predictions of an agent's h and f over all states of a listed environment.

    A latent is the index of a state; `predict` looks it up.
    """

    def __init__(self, agent: WorldModel, environment: Any, states: Tensor) -> None:
        """`states` [S], ascending, must contain all states that occur."""
        super().__init__()
        self.spec = replace(agent.spec, needs_state=True, memory=False)
        generator, policies, values = Generator(), [], []
        for rows in torch.split(states, CHUNK):
            heads = agent.predict(agent.represent(environment.observe(rows), generator, rows))
            policies.append(heads.policy.cpu())
            values.append(heads.value.cpu())
        self._states = states
        self._policy, self._value = torch.cat(policies), torch.cat(values)

    @override
    def represent(
        self, observation: Tensor, generator: Generator, state: State | None = None
    ) -> Tensor:
        assert isinstance(state, Tensor)
        return state

    @override
    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        raise TypeError("CachedModel holds true states only; the environment makes the steps")

    @override
    def predict(self, latent: Tensor) -> Heads:
        row = torch.searchsorted(self._states, latent).clamp(max=len(self._states) - 1)
        return Heads(self._policy[row], self._value[row])


def with_true_dynamics(
    agent: WorldModel, environment: Any, how: Substitution
) -> OracleSubstitutedModel:
    """Return the agent with true dynamics; listed environments use cached predictions."""
    if environment.spec.enumerable:
        agent = CachedModel(agent, environment, environment.positions())
    return OracleSubstitutedModel(agent, environment, how)
