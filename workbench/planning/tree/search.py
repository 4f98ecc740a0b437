"""The search: one model call a simulation, for all roots at once, or none for a dense model."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Generator, Tensor

from workbench.errors import TrialDiverged
from workbench.models.world_model import WorldModel
from workbench.planning.tree import kernels
from workbench.planning.tree.imagined import Imagined
from workbench.planning.tree.network import Network, Room, network_of, workplace
from workbench.planning.tree.trees import Leaves, Trees, plant
from workbench.types import Edge, Heads, Latent, Plan


class Strategy(Protocol):
    """What tells one tree search from another. W is the width of a node."""

    def prior(self, logits: Tensor) -> Tensor:
        """[B, W] probabilities of the moves, 0 or more where the logit is -inf."""
        ...

    def begin(
        self, prior: np.ndarray, generator: Generator, explore: bool
    ) -> tuple[np.ndarray, Any]:
        """The root's prior [B, W] as it is to count, and the rules of this one search."""
        ...

    def select(
        self,
        trees: Trees,
        rules: Any,
        parent: np.ndarray,
        action: np.ndarray,
        first: int,
        last: int,
    ) -> None:
        """Descend the trees [first, last) and write which edges to expand: parent, action [B]."""
        ...

    def grow(
        self,
        trees: Trees,
        rules: Any,
        network: Network,
        room: Room,
        parent: np.ndarray,
        action: np.ndarray,
        first: int,
        last: int,
    ) -> None:
        """The whole search of the trees [first, last), with the model laid out as a network."""
        ...

    def conclude(self, trees: Trees, rules: Any, actions: int) -> Plan: ...


@dataclass(frozen=True)
class TreeSearch:
    """A planner that grows a tree of imagined latents, one node a simulation."""

    strategy: Strategy
    simulations: int
    interior_legality: bool
    use_predicted_termination: bool
    differentiable: bool = False

    @torch.inference_mode()
    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: Tensor,
        generator: Generator,
        explore: bool = False,
    ) -> Plan:
        """Search from a batch of roots; `legal` [B, A] masks the moves at the root."""
        batch, actions = legal.shape
        trees = _trees(batch, self.simulations + 1, max(actions, model.spec.chance))
        network = network_of(model, self.use_predicted_termination)
        if network is None:
            heads = model.predict(root)
            prior, value = self._prior(heads, legal), _numpy(heads.value)
            at_chance = _at_chance(heads, batch)
        else:
            latents = _latents(batch, self.simulations + 1, network.size)
            latents[:, 0] = _numpy(root.flatten(1))
            prior, value = np.empty((batch, actions)), np.empty(batch, np.float32)
            at_chance = np.zeros(batch, np.bool_)
            kernels.predict(network, workplace(network, latents), _numpy(legal), prior, value)
        if not (np.isfinite(prior).all() and np.isfinite(value).all()):
            raise TrialDiverged("the model's policy or value is not a finite number")
        prior, rules = self.strategy.begin(prior, generator, explore)
        kernels.clear(trees, prior, value, at_chance)
        if network is None:
            self._grow(model, root, trees, rules, generator)
        else:
            self._grow_within(network, latents, trees, rules)
        return checked(self.strategy.conclude(trees, rules, actions))

    def _grow(
        self, model: WorldModel, root: Latent, trees: Trees, rules: Any, generator: Generator
    ) -> None:
        """One call of the model a simulation, for the whole batch."""
        batch, nodes = trees.nodes.shape
        latents = Imagined(nodes, root)
        parent, action = np.zeros(batch, np.int64), np.zeros(batch, np.int64)
        device = model.device
        for index in range(1, nodes):
            self.strategy.select(trees, rules, parent, action, 0, batch)
            here = latents.read(torch.from_numpy(parent))
            then, edge = model.step(here, torch.from_numpy(action).to(device), generator)
            heads = model.predict(then)
            latents.keep(index, then)
            leaves = Leaves(
                reward=_numpy(edge.reward),
                discount=_numpy(self._discount(edge)),
                prior=self._prior(heads, heads.legal if self.interior_legality else None),
                value=_numpy(heads.value),
                at_chance=_at_chance(heads, batch),
            )
            kernels.expand(trees, index, leaves, 0, batch)

    def _grow_within(self, network: Network, latents: np.ndarray, trees: Trees, rules: Any) -> None:
        """No call at all: kernels evaluate the network, and threads share the trees out."""
        batch = len(latents)
        parent, action = np.zeros(batch, np.int64), np.zeros(batch, np.int64)

        def grow(first: int, last: int) -> None:
            room = workplace(network, latents)
            self.strategy.grow(trees, rules, network, room, parent, action, first, last)

        share_out(grow, batch)

    def _discount(self, edge: Edge) -> Tensor:
        if self.use_predicted_termination and edge.termination is not None:
            return edge.discount * (1 - edge.termination)
        return edge.discount

    def _prior(self, heads: Heads, legal: Tensor | None) -> np.ndarray:
        """[B, W] probabilities; -1 for what must not be chosen."""
        logits = heads.policy.cpu()
        if legal is None:
            result = _numpy(self.strategy.prior(logits))
        else:
            mask = legal.cpu()
            prior = self.strategy.prior(logits.masked_fill(~mask, -torch.inf))
            result = _numpy(prior.masked_fill(~mask, -1.0))
        if heads.chance is None or heads.at_chance is None:
            return result
        outcomes = _numpy(heads.chance)
        mixed = np.full((len(result), max(result.shape[1], outcomes.shape[1])), -1.0)
        chance = _numpy(heads.at_chance)
        mixed[~chance, : result.shape[1]] = result[~chance]
        mixed[chance, : outcomes.shape[1]] = outcomes[chance]
        return mixed


# Reused: fresh memory costs more than a search, and a process runs one search at a time.
_trees = lru_cache(maxsize=4)(plant)


@lru_cache(maxsize=4)
def _latents(batch: int, nodes: int, size: int) -> np.ndarray:
    return np.empty((batch, nodes, size), np.float32)


def share_out(work: Callable[[int, int], None], batch: int) -> None:
    """Call `work(first, last)` on as many threads as torch has, each on a part of the batch."""
    shares = min(torch.get_num_threads(), -(-batch // kernels.TILE))
    ends = [batch * share // shares for share in range(shares + 1)]
    if shares == 1:
        work(0, batch)
    else:
        list(_pool(shares).map(work, ends[:-1], ends[1:]))


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "search")


def _at_chance(heads: Heads, batch: int) -> np.ndarray:
    return np.zeros(batch, np.bool_) if heads.at_chance is None else _numpy(heads.at_chance)


def _numpy(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.cpu().numpy()
    return array


def summary(trees: Trees, actions: int) -> Plan:
    """The plan by what was visited: shares as the policy, the root's value for the unvisited."""
    batch = len(trees.depth)
    policy, q = np.empty((batch, actions), np.float32), np.empty((batch, actions), np.float32)
    value, visits = np.empty(batch, np.float32), np.empty((batch, actions), np.int32)
    kernels.summarise(trees, policy, value, q, visits)
    return Plan(
        policy=torch.from_numpy(policy),
        value=torch.from_numpy(value),
        q=torch.from_numpy(q),
        visits=torch.from_numpy(visits),
        depth=torch.from_numpy(trees.depth.copy()),
    )


def checked(plan: Plan) -> Plan:
    """The plan itself. Raises TrialDiverged where it is not made of finite numbers."""
    # By numpy, which takes a tenth of torch's time for the few numbers of a small batch.
    if not all(np.isfinite(_numpy(part.detach())).all() for part in (plan.policy, plan.value)):
        raise TrialDiverged("the plan is not made of finite numbers")
    return plan
