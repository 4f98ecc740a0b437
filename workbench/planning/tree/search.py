"""The search: one model call a simulation, for all roots at once, or none for a dense model."""

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
from workbench.planning.tree.compiled_network import Network, Room, network_of, workplace
from workbench.planning.tree.kernels import NO_PLAN, NO_ROOT, SOUND
from workbench.planning.tree.latent_store import Imagined
from workbench.planning.tree.simd import TILE
from workbench.planning.tree.trees import Found, Leaves, Trees, leaves_of, plant
from workbench.types import Heads, Latent, Plan


class Strategy(Protocol):
    """What tells one tree search from another. W is the width of a node."""

    @property
    def logs(self) -> bool:
        """Whether priors are logs of probabilities."""
        ...

    @property
    def moves(self) -> bool:
        """Whether the search tells the move."""
        ...

    def rules(self, legal: np.ndarray, generator: Generator, explore: bool) -> Any:
        """The rules of this one search from roots with these legal moves [B, A], noise included."""
        ...

    def begin(self, trees: Trees, rules: Any, leaves: Leaves, count: int) -> None:
        """Begin the first trees with a node each, of which reward and discount do not count."""
        ...

    def select(self, trees: Trees, rules: Any, count: int) -> None:
        """Descend the first trees and write which edges to expand: their parent, action."""
        ...

    def expand(self, trees: Trees, rules: Any, index: int, leaves: Leaves, count: int) -> None:
        """Attach leaves as node `index` of the first trees, and send values up the paths."""
        ...

    def conclude(self, trees: Trees, rules: Any, found: Found, start: int, count: int) -> bool:
        """Write what the first trees come to as rows of `found`, from `start` on.

        Whether they are finite numbers.
        """
        ...

    def search(
        self,
        rules: Any,
        network: Network,
        room: Room,
        latents: np.ndarray,
        legal: np.ndarray,
        found: Found,
        first: int,
        last: int,
    ) -> int:
        """All of that from the roots [first, last), with the model laid out as a network.

        latents [B, size] float32, legal [B, A]. `SOUND`, or what is not made of finite numbers.
        """
        ...


@dataclass(frozen=True)
class TreeSearch:
    """A planner that grows a tree of imagined latents, one node a simulation."""

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
        """Search from a batch of roots; `legal` [B, A] masks the moves at the root."""
        batch, actions = legal.shape
        allowed = _numpy(legal)
        rules = self.strategy.rules(allowed, generator, explore)
        found = Found(
            policy=np.empty((batch, actions), np.float32),
            value=np.empty(batch, np.float32),
            q=np.empty((batch, actions), np.float32),
            visits=np.empty((batch, actions), np.int32),
            action=np.empty(batch, np.int64),
            depth=np.empty(batch, np.int32),
        )
        network = network_of(model, self.use_predicted_termination)
        if network is None:
            outcome = self._search(model, root, legal, rules, found, generator)
        else:
            latents = np.ascontiguousarray(_numpy(root.detach()).reshape(batch, -1))
            outcome = self._search_within(network, latents, allowed, rules, found)
        if outcome == NO_ROOT:
            raise TrialDiverged("the model's policy or value is not a finite number")
        check(outcome == SOUND)
        parts: dict[str, Any] = {
            name: torch.from_numpy(array)
            for name, array in zip(Found._fields, found, strict=True)
            if name != "action" or self.strategy.moves
        }
        return Plan(**parts)

    def _search_within(
        self, network: Network, latents: np.ndarray, legal: np.ndarray, rules: Any, found: Found
    ) -> int:
        """No call of the model at all: kernels evaluate it, and threads share the roots out."""
        nodes, width = self.simulations + 1, legal.shape[1]

        def search(share: int, first: int, last: int) -> int:
            room = workplace(network, nodes, width, share)
            return self.strategy.search(rules, network, room, latents, legal, found, first, last)

        return max(share_out(search, len(latents)))

    @torch.inference_mode()
    def _search(
        self,
        model: WorldModel,
        root: Latent,
        legal: Tensor,
        rules: Any,
        found: Found,
        generator: Generator,
    ) -> int:
        """One call of the model a simulation, for the whole batch."""
        batch, actions = legal.shape
        width = max(actions, model.spec.chance)
        trees, leaves = _trees(batch, self.simulations + 1, width), leaves_of(batch, width)
        self._read(model.predict(root), legal, leaves)
        if np.isnan(leaves.prior).any() or not np.isfinite(leaves.value).all():
            return NO_ROOT
        self.strategy.begin(trees, rules, leaves, batch)
        self._grow(model, root, trees, leaves, rules, generator)
        return SOUND if self.strategy.conclude(trees, rules, found, 0, batch) else NO_PLAN

    def _grow(
        self,
        model: WorldModel,
        root: Latent,
        trees: Trees,
        leaves: Leaves,
        rules: Any,
        generator: Generator,
    ) -> None:
        """All simulations."""
        batch = len(trees.depth)
        nodes = len(trees.nodes) // batch
        latents, device = Imagined(nodes, root), model.device
        for index in range(1, nodes):
            self.strategy.select(trees, rules, batch)
            here = latents.read(torch.from_numpy(trees.parent))
            then, edge = model.step(here, torch.from_numpy(trees.action).to(device), generator)
            heads = model.predict(then)
            latents.keep(index, then)
            self._read(heads, heads.legal if self.interior_legality else None, leaves)
            onward = edge.onward(self.use_predicted_termination)
            leaves.reward[:], leaves.discount[:] = _numpy(edge.reward), _numpy(onward)
            self.strategy.expand(trees, rules, index, leaves, batch)

    def _read(self, heads: Heads, legal: Tensor | None, leaves: Leaves) -> None:
        """Write what the model predicts of nodes."""
        leaves.value[:] = _numpy(heads.value)
        leaves.at_chance[:] = False if heads.at_chance is None else _numpy(heads.at_chance)
        prior = self._prior(heads, legal)
        batch, width = prior.shape
        leaves.prior[:batch, :width], leaves.prior[:batch, width:] = prior, -np.inf

    def _prior(self, heads: Heads, legal: Tensor | None) -> np.ndarray:
        """[B, W] probabilities, or their logs; -inf for what must not be chosen."""
        logits = heads.policy.cpu()
        if legal is not None:
            logits = logits.masked_fill(~legal.cpu(), -torch.inf)
        prior = logits.log_softmax(-1) if self.strategy.logs else logits.softmax(-1)
        result = _numpy(prior if legal is None else prior.masked_fill(~legal.cpu(), -torch.inf))
        if heads.chance is None or heads.at_chance is None:
            return result
        outcomes = _numpy(heads.chance)
        mixed = np.full((len(result), max(result.shape[1], outcomes.shape[1])), -np.inf)
        chance = _numpy(heads.at_chance)
        mixed[~chance, : result.shape[1]] = result[~chance]
        mixed[chance, : outcomes.shape[1]] = outcomes[chance]
        return mixed


# Reused: fresh memory costs more than a search, and a process runs one search at a time.
_trees = lru_cache(maxsize=4)(plant)


_Result = TypeVar("_Result")


def share_out(work: Callable[[int, int, int], _Result], batch: int) -> list[_Result]:
    """Call `work(share, first, last)` on as many threads as torch has, each on a part of it."""
    shares = shares_of(batch)
    if shares == 1:
        return [work(0, 0, batch)]
    ends = [batch * share // shares for share in range(shares + 1)]
    return list(_pool(shares).map(work, range(shares), ends[:-1], ends[1:]))


def shares_of(batch: int) -> int:
    """Threads that a search of so many roots is shared out to."""
    return min(torch.get_num_threads(), -(-batch // TILE))


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "search")


def _numpy(tensor: Tensor) -> np.ndarray:
    # Where nothing is to be moved, a call of torch less.
    array: np.ndarray = tensor.numpy() if tensor.is_cpu else tensor.cpu().numpy()
    return array


def checked(plan: Plan) -> Plan:
    """The plan itself. Raises TrialDiverged where it is not made of finite numbers."""
    # By numpy, which takes a tenth of torch's time for the few numbers of a small batch.
    check(all(np.isfinite(_numpy(part.detach())).all() for part in (plan.policy, plan.value)))
    return plan


def check(finite: bool) -> None:
    """Raises TrialDiverged where a plan is not made of finite numbers."""
    if not finite:
        raise TrialDiverged("the plan is not made of finite numbers")
