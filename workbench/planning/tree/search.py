"""The search loop: one batched model call per simulation, or none for a compiled model."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Generator, Tensor

from workbench.errors import TrialDiverged
from workbench.models.world_model import WorldModel
from workbench.planning.tree.compiled_network import (
    Network,
    SearchWorkspace,
    compiled_network,
    workspace_for,
)
from workbench.planning.tree.kernels import FINITE, NO_PLAN, NO_ROOT
from workbench.planning.tree.latent_store import LatentStore
from workbench.planning.tree.plan_check import check_finite
from workbench.planning.tree.simd import TREES_PER_TILE
from workbench.planning.tree.trees import (
    Leaves,
    SearchResult,
    Trees,
    allocate_leaves,
    allocate_trees,
)
from workbench.types import Heads, Latent, Plan


class Strategy(Protocol):
    """Selection rules of a tree search. W is the number of children of a node."""

    @property
    def log_priors(self) -> bool:
        """Whether priors are log probabilities."""
        ...

    @property
    def selects_action(self) -> bool:
        """Whether the search selects the action."""
        ...

    def rules(self, legal: np.ndarray, generator: Generator, explore: bool) -> Any:
        """Return the rules, with noise, of a search from roots with legal actions [B, A]."""
        ...

    def begin(self, trees: Trees, rules: Any, leaves: Leaves, count: int) -> None:
        """Initialise the first trees with their root; its reward and discount are ignored."""
        ...

    def select(self, trees: Trees, rules: Any, count: int) -> None:
        """Descend the first trees and write the edges to expand: parent and action."""
        ...

    def expand(self, trees: Trees, rules: Any, index: int, leaves: Leaves, count: int) -> None:
        """Expand leaves as node `index` of the first trees and back up their values."""
        ...

    def finish(self, trees: Trees, rules: Any, found: SearchResult, start: int, count: int) -> bool:
        """Write the results of the first trees to rows of `found` from `start` on.

        Returns whether they are finite.
        """
        ...

    def search(
        self,
        rules: Any,
        network: Network,
        room: SearchWorkspace,
        latents: np.ndarray,
        legal: np.ndarray,
        found: SearchResult,
        first: int,
        last: int,
    ) -> int:
        """Run whole searches from the roots [first, last) with the compiled model.

        latents [B, size] float32, legal [B, A]. Returns `FINITE`, or which result is not finite.
        """
        ...


@dataclass(frozen=True)
class TreeSearch:
    """A planner that grows a tree of latents, one node per simulation."""

    strategy: Strategy
    simulations: int
    interior_legality: bool
    use_predicted_termination: bool
    differentiable: bool = False

    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: Tensor,
        generator: Generator,
        explore: bool = False,
    ) -> Plan:
        """Search from a batch of roots; `legal` [B, A] masks the actions at the root."""
        batch, actions = legal.shape
        allowed = _numpy(legal)
        rules = self.strategy.rules(allowed, generator, explore)
        found = SearchResult(
            policy=np.empty((batch, actions), np.float32),
            value=np.empty(batch, np.float32),
            q=np.empty((batch, actions), np.float32),
            visits=np.empty((batch, actions), np.int32),
            action=np.empty(batch, np.int64),
            depth=np.empty(batch, np.int32),
        )
        network = compiled_network(model, self.use_predicted_termination)
        if network is None:
            outcome = self._search(model, root, legal, rules, found, generator)
        else:
            latents = np.ascontiguousarray(_numpy(root.detach()).reshape(batch, -1))
            outcome = self._search_within(network, latents, allowed, rules, found)
        if outcome == NO_ROOT:
            raise TrialDiverged("the model's policy or value is not a finite number")
        check_finite(outcome == FINITE)
        parts: dict[str, Any] = {
            name: torch.from_numpy(array)
            for name, array in zip(SearchResult._fields, found, strict=True)
            if name != "action" or self.strategy.selects_action
        }
        return Plan(**parts)

    def _search_within(
        self,
        network: Network,
        latents: np.ndarray,
        legal: np.ndarray,
        rules: Any,
        found: SearchResult,
    ) -> int:
        """Search in the kernels, without calls of the model; threads split the roots."""
        nodes, width = self.simulations + 1, legal.shape[1]

        def search(share: int, first: int, last: int) -> int:
            room = workspace_for(network, nodes, width, share)
            return self.strategy.search(rules, network, room, latents, legal, found, first, last)

        return max(parallel_chunks(search, len(latents)))

    @torch.inference_mode()
    def _search(
        self,
        model: WorldModel,
        root: Latent,
        legal: Tensor,
        rules: Any,
        found: SearchResult,
        generator: Generator,
    ) -> int:
        """Search with one batched call of the model per simulation."""
        batch, actions = legal.shape
        width = max(actions, model.spec.chance)
        trees, leaves = _trees(batch, self.simulations + 1, width), allocate_leaves(batch, width)
        self._read(model.predict(root), legal, leaves)
        if np.isnan(leaves.prior).any() or not np.isfinite(leaves.value).all():
            return NO_ROOT
        self.strategy.begin(trees, rules, leaves, batch)
        self._grow(model, root, trees, leaves, rules, generator)
        return FINITE if self.strategy.finish(trees, rules, found, 0, batch) else NO_PLAN

    def _grow(
        self,
        model: WorldModel,
        root: Latent,
        trees: Trees,
        leaves: Leaves,
        rules: Any,
        generator: Generator,
    ) -> None:
        """Run all simulations."""
        batch = len(trees.depth)
        nodes = len(trees.nodes) // batch
        latents, device = LatentStore(nodes, root), model.device
        for index in range(1, nodes):
            self.strategy.select(trees, rules, batch)
            here = latents.read(torch.from_numpy(trees.parent))
            then, edge = model.step(here, torch.from_numpy(trees.action).to(device), generator)
            heads = model.predict(then)
            latents.keep(index, then)
            self._read(heads, heads.legal if self.interior_legality else None, leaves)
            onward = edge.continuation_discount(self.use_predicted_termination)
            leaves.reward[:], leaves.discount[:] = _numpy(edge.reward), _numpy(onward)
            self.strategy.expand(trees, rules, index, leaves, batch)

    def _read(self, heads: Heads, legal: Tensor | None, leaves: Leaves) -> None:
        """Write the model's predictions at nodes."""
        leaves.value[:] = _numpy(heads.value)
        leaves.at_chance[:] = False if heads.at_chance is None else _numpy(heads.at_chance)
        prior = self._prior(heads, legal)
        batch, width = prior.shape
        leaves.prior[:batch, :width], leaves.prior[:batch, width:] = prior, -np.inf

    def _prior(self, heads: Heads, legal: Tensor | None) -> np.ndarray:
        """[B, W] Probabilities or log probabilities; -inf for actions that must not be chosen."""
        logits = heads.policy.cpu()
        if legal is not None:
            logits = logits.masked_fill(~legal.cpu(), -torch.inf)
        prior = logits.log_softmax(-1) if self.strategy.log_priors else logits.softmax(-1)
        result = _numpy(prior if legal is None else prior.masked_fill(~legal.cpu(), -torch.inf))
        if heads.chance is None or heads.at_chance is None:
            return result
        outcomes = _numpy(heads.chance)
        mixed = np.full((len(result), max(result.shape[1], outcomes.shape[1])), -np.inf)
        chance = _numpy(heads.at_chance)
        mixed[~chance, : result.shape[1]] = result[~chance]
        mixed[chance, : outcomes.shape[1]] = outcomes[chance]
        return mixed


# Reused, because allocation takes longer than a search. A process runs one search at a time.
_trees = lru_cache(maxsize=4)(allocate_trees)


_Result = TypeVar("_Result")


def parallel_chunks(work: Callable[[int, int, int], _Result], batch: int) -> list[_Result]:
    """Call `work(share, first, last)` on each of torch's threads, with a part of the batch each."""
    shares = n_chunks(batch)
    if shares == 1:
        return [work(0, 0, batch)]
    ends = [batch * share // shares for share in range(shares + 1)]
    return list(_pool(shares).map(work, range(shares), ends[:-1], ends[1:]))


def n_chunks(batch: int) -> int:
    """Return the number of threads that split a search of `batch` roots."""
    return min(torch.get_num_threads(), -(-batch // TREES_PER_TILE))


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "search")


def _numpy(tensor: Tensor) -> np.ndarray:
    # Skip a call of torch if nothing has to be moved.
    array: np.ndarray = tensor.numpy() if tensor.is_cpu else tensor.cpu().numpy()
    return array
