"""A trained model whose dynamics, prior or value are others than those that it learned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Generator, Tensor

from workbench.measures.exact.solved_positions import CHUNK
from workbench.models.world_model import WorldModel
from workbench.types import Edge, Heads, Latent, SolvedEnvironment, State, gather, map_tensors


@dataclass(frozen=True)
class Replacement:
    """What stands where, at every state that a search imagines."""

    dynamics: Literal["learned", "true"] = "learned"
    """`true`: next state, reward, end and legal moves are the world's; h encodes the state."""
    prior: Literal["learned", "uniform"] = "learned"
    value: Literal["learned", "oracle"] = "learned"
    truth_at: int | None = None
    """The one depth at which reward, end and value are the true ones, whatever else is learned."""


@dataclass(frozen=True)
class Imagined:
    """A latent of the agent's, and where the world would truly stand."""

    latent: Latent
    state: State
    known: Tensor  # [B] bool; False after a move that the world does not allow
    depth: Tensor  # [B] int64, 0 at the root


class Replaced(WorldModel):
    """The agent's own networks, asked where they are not replaced.

    A learned model may imagine moves that the rules forbid. Past one there is no true state, so
    what is predicted there stays the learned prediction.
    """

    def __init__(
        self, agent: WorldModel, world: SolvedEnvironment, replacement: Replacement
    ) -> None:
        super().__init__()
        self.agent, self._world, self._how = agent, world, replacement
        heads = agent.spec.heads | ({"legal"} if replacement.dynamics == "true" else set())
        self.spec = replace(agent.spec, heads=frozenset(heads), needs_state=True)

    def represent(
        self, observation: Tensor, generator: Generator, state: State | None = None
    ) -> Imagined:
        latent = self.agent.represent(observation, generator, state)
        known = torch.ones(len(observation), dtype=torch.bool)
        return Imagined(latent, state, known, torch.zeros(len(observation), dtype=torch.int64))

    def step(self, latent: Imagined, action: Tensor, generator: Generator) -> tuple[Imagined, Edge]:
        known, move = self._allowed(latent, action.cpu())
        state, true = self._world.step(latent.state, move, generator)
        depth = latent.depth + 1
        if self._how.dynamics == "true":
            seen = self.agent.represent(self._world.observe(state), generator, state)
            return Imagined(seen, state, known, depth), Edge(true.reward, true.discount)
        then, edge = self.agent.step(latent.latent, action, generator)
        if self._how.truth_at is not None:
            told = known & (depth == self._how.truth_at)
            ended = torch.zeros(()) if edge.termination is None else edge.termination.cpu()
            edge = Edge(
                reward=true.reward.where(told, edge.reward.cpu()),
                discount=true.discount.where(told, edge.discount.cpu()),
                termination=true.terminated.float().where(told, ended),
            )
        return Imagined(then, state, known, depth), edge

    def predict(self, latent: Imagined) -> Heads:
        heads = map_tensors(lambda tensor: tensor.cpu(), self.agent.predict(latent.latent))
        policy, value, legal = heads.policy, heads.value, heads.legal
        if self._how.prior == "uniform":
            policy = torch.zeros_like(policy)
        told = latent.known & self._told(latent.depth)
        rows = told.nonzero().flatten()
        if len(rows):
            value = value.index_put((rows,), self._world.value(gather(latent.state, rows)))
        if self._how.dynamics == "true":
            legal = self._world.legal(latent.state)
        return Heads(policy, value, legal=legal)

    def _told(self, depth: Tensor) -> Tensor:
        """[B] bool, where the value is the oracle's."""
        if self._how.value == "oracle":
            return torch.ones_like(depth, dtype=torch.bool)
        at = self._how.truth_at
        return torch.zeros_like(depth, dtype=torch.bool) if at is None else depth == at

    def _allowed(self, latent: Imagined, action: Tensor) -> tuple[Tensor, Tensor]:
        """Whether the world is still known after the moves, and moves that it allows."""
        legal = self._world.legal(latent.state)
        over = ~legal.any(-1)
        allowed = legal.gather(1, action[:, None]).squeeze(1) | over
        return latent.known & allowed, action.where(allowed, legal.int().argmax(-1))


class Remembered(WorldModel):
    """An agent's h and f over a listed world, computed once: what only true states are asked of.

    A latent is the number of a state; `predict` looks it up.
    """

    def __init__(self, agent: WorldModel, world: Any, states: Tensor) -> None:
        """`states` [S] ascending are all that can be met."""
        super().__init__()
        self.spec = replace(agent.spec, needs_state=True, memory=False)
        generator, policies, values = Generator(), [], []
        for rows in torch.split(states, CHUNK):
            heads = agent.predict(agent.represent(world.observe(rows), generator, rows))
            policies.append(heads.policy.cpu())
            values.append(heads.value.cpu())
        self._states = states
        self._policy, self._value = torch.cat(policies), torch.cat(values)

    def represent(
        self, observation: Tensor, generator: Generator, state: State | None = None
    ) -> Tensor:
        assert isinstance(state, Tensor)
        return state

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        raise TypeError("only true states are remembered: the world makes the steps")

    def predict(self, latent: Tensor) -> Heads:
        row = torch.searchsorted(self._states, latent).clamp(max=len(self._states) - 1)
        return Heads(self._policy[row], self._value[row])


def with_true_dynamics(agent: WorldModel, world: Any, how: Replacement) -> Replaced:
    """The agent in the true world; where its states can be listed, h and f are asked once."""
    if world.spec.enumerable:
        agent = Remembered(agent, world, world.positions())
    return Replaced(agent, world, how)
