"""A batched tree search in plain torch, for any model and any selection rule.

This is the search that a new selection rule extends: a subclass of `SelectionRule` states a score
for every action, and `ReferenceSearch` is the planner. The compiled search of `search.py` is faster
and equals this one visit by visit.

One simulation of every tree:

1. `descend` follows the actions of the highest score to an edge without a child, or to a known end.
2. The model predicts the child's latent, reward, discount, policy and value.
3. `back_up` adds the child's value to the means along the path, discounted edge by edge.

Both players share a tree. A negative discount changes the player, so Q(s, a) = r + discount V(s').
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from workbench.errors import TrialDiverged
from workbench.models.world_model import WorldModel
from workbench.planning.tree.latent_store import LatentStore
from workbench.planning.tree.plan_check import check_plan
from workbench.types import Heads, Latent, Plan


@dataclass
class SearchTree:
    """B trees of N + 1 nodes with W actions each; simulation i adds node i, and node 0 is the root.

    At a chance node the actions are the outcomes, and the prior is their log probability.
    """

    log_prior: Tensor  # [B, N+1, W] -inf for actions that must not be chosen
    visits: Tensor  # [B, N+1, W] visits of each action
    q: Tensor  # [B, N+1, W] mean of reward + discount * backed-up value; 0 without visits
    reward: Tensor  # [B, N+1, W]
    discount: Tensor  # [B, N+1, W] 0 if the model knows that the episode ends
    child: Tensor  # [B, N+1, W] int64 index of the child; 0 if there is none yet
    raw_value: Tensor  # [B, N+1] the model's value
    value: Tensor  # [B, N+1] mean of the raw value and all values backed up to the node
    at_chance: Tensor  # [B, N+1] bool
    low: Tensor  # [B] smallest q of the tree so far; inf before the first
    high: Tensor  # [B] largest q of the tree so far; -inf before the first
    depth: Tensor  # [B] depth of the deepest node

    @staticmethod
    def empty(batch: int, nodes: int, width: int) -> SearchTree:
        """Return trees without a node."""

        def zeros(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
            return torch.zeros(batch, *shape, dtype=dtype)

        return SearchTree(
            log_prior=zeros(nodes, width) - torch.inf,
            visits=zeros(nodes, width),
            q=zeros(nodes, width),
            reward=zeros(nodes, width),
            discount=zeros(nodes, width),
            child=zeros(nodes, width, dtype=torch.int64),
            raw_value=zeros(nodes),
            value=zeros(nodes),
            at_chance=zeros(nodes, dtype=torch.bool),
            low=zeros() + torch.inf,
            high=zeros() - torch.inf,
            depth=zeros(dtype=torch.int32),
        )

    @property
    def rows(self) -> Tensor:
        """[B] Index of each tree, to index the other fields together with a node of each tree."""
        return torch.arange(len(self.depth))

    def node_visits(self, node: Tensor) -> Tensor:
        """[B] Visits of one node of each tree, its own evaluation included."""
        return 1 + self.visits[self.rows, node].sum(-1)


class SelectionRule:
    """The choices of a tree search. A subclass defines `score`; the other methods have defaults."""

    def score(self, tree: SearchTree, node: Tensor) -> Tensor:
        """Return the scores [B, W] of the actions of one node [B] per tree; the maximum is chosen.

        Scores of actions with a prior of 0 are ignored. The first of equal maxima is chosen.
        """
        raise NotImplementedError

    def root_score(self, tree: SearchTree, simulation: int) -> Tensor:
        """Return the scores [B, W] of the root's actions in a simulation, counted from 0."""
        return self.score(tree, torch.zeros(len(tree.depth), dtype=torch.int64))

    def begin(self, tree: SearchTree, generator: Generator, explore: bool) -> None:
        """Prepare a search whose trees have their roots; for example, add noise to the prior."""

    def policy(self, tree: SearchTree) -> Tensor:
        """Return the policy [B, W] of the plan: by default the share of visits."""
        return tree.visits[:, 0] / tree.visits[:, 0].sum(-1, keepdim=True)

    def completed_q(self, tree: SearchTree) -> Tensor:
        """Return Q [B, W] of the root's actions: by default the root's value without visits."""
        return tree.q[:, 0].where(tree.visits[:, 0] > 0, tree.value[:, :1])

    def action(self, tree: SearchTree) -> Tensor | None:
        """Return the action [B] that the search selects itself, if it does."""
        return None


@dataclass(frozen=True)
class ReferenceSearch:
    """A planner that searches with a selection rule."""

    rule: SelectionRule
    simulations: int
    interior_legality: bool = False
    """Whether actions that the model predicts as illegal are masked below the root too."""
    use_predicted_termination: bool = False
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
        """Search from a batch of roots; `legal` [B, A] masks the actions at the root.

        Raises:
            TrialDiverged: the model predicts a number that is not finite.
        """
        batch, actions = legal.shape
        nodes = self.simulations + 1
        tree = SearchTree.empty(batch, nodes, max(actions, model.spec.chance))
        latents = LatentStore(nodes, root)
        heads = model.predict(root)
        if not (heads.policy.isfinite().all() and heads.value.isfinite().all()):
            raise TrialDiverged("the model's policy or value is not a finite number")
        add_node(tree, 0, heads, legal)
        self.rule.begin(tree, generator, explore)
        for simulation in range(self.simulations):
            path = descend(tree, self.rule, simulation)
            parent, action, _ = path[-1]
            places = parent * batch + tree.rows
            latent, edge = model.step(latents.read(places), action.to(model.device), generator)
            heads, child = model.predict(latent), simulation + 1
            latents.keep(child, latent)
            add_node(tree, child, heads, heads.legal if self.interior_legality else None)
            discount = edge.continuation_discount(self.use_predicted_termination)
            add_edge(tree, child, parent, action, edge.reward, discount)
            tree.depth = torch.maximum(tree.depth, depth_of(path))
            back_up(tree, path, child)
        chosen = self.rule.action(tree)
        return check_plan(
            Plan(
                policy=self.rule.policy(tree)[:, :actions].float(),
                value=tree.value[:, 0].float(),
                q=self.rule.completed_q(tree)[:, :actions].float(),
                visits=tree.visits[:, 0, :actions].int(),
                depth=tree.depth,
                action=chosen,
            )
        )


Path = list[tuple[Tensor, Tensor, Tensor]]
"""Node [B], action [B] and whether the tree is still in descent [B], by depth.

A tree whose descent has ended repeats its last node and action.
"""


def descend(tree: SearchTree, rule: SelectionRule, simulation: int) -> Path:
    """Follow the highest scores to edges without a child, or to known ends."""
    node = torch.zeros(len(tree.depth), dtype=torch.int64)
    active, path = torch.ones(len(node), dtype=torch.bool), Path()
    action = node
    while active.any():
        score = rule.score(tree, node) if path else rule.root_score(tree, simulation)
        action = choose(tree, node, score).where(active, action)
        path.append((node, action, active))
        child = tree.child[tree.rows, node, action]
        active = active & (child > 0) & (tree.discount[tree.rows, node, action] != 0)
        node = child.where(active, node)
    return path


def choose(tree: SearchTree, node: Tensor, score: Tensor) -> Tensor:
    """Return the action [B] of the highest score, and at chance nodes the next outcome.

    The next outcome is argmax p / (1 + visits), so that visits follow the probabilities
    (Stochastic MuZero, Antonoglou et al. 2022).
    """
    log_prior = tree.log_prior[tree.rows, node]
    outcome = log_prior.exp() / (1 + tree.visits[tree.rows, node])
    allowed = score.masked_fill(log_prior == -torch.inf, -torch.inf)
    return outcome.where(tree.at_chance[tree.rows, node, None], allowed).argmax(-1)


def add_node(tree: SearchTree, index: int, heads: Heads, legal: Tensor | None) -> None:
    """Write the model's predictions as node `index` of every tree."""
    logits = heads.policy.double().cpu()
    if legal is not None:
        logits = logits.masked_fill(~legal.cpu(), -torch.inf)
    tree.log_prior[:, index, : logits.shape[1]] = logits.log_softmax(-1)
    tree.raw_value[:, index] = tree.value[:, index] = heads.value.double().cpu()
    if heads.chance is not None and heads.at_chance is not None:
        chance = heads.at_chance.cpu()
        tree.at_chance[:, index] = chance
        tree.log_prior[chance, index] = -torch.inf
        probabilities = heads.chance.double().cpu()
        tree.log_prior[chance, index, : probabilities.shape[1]] = probabilities[chance].log()


def add_edge(
    tree: SearchTree, child: int, parent: Tensor, action: Tensor, reward: Tensor, discount: Tensor
) -> None:
    """Connect node `child` to its parents [B], except at edges that have led to a known end."""
    rows, node, act = (part[tree.child[tree.rows, parent, action] == 0] for part in
                       (tree.rows, parent, action))  # fmt: skip
    tree.child[rows, node, act] = child
    tree.reward[rows, node, act] = reward.double().cpu()[rows]
    tree.discount[rows, node, act] = discount.double().cpu()[rows]


def depth_of(path: Path) -> Tensor:
    """Return the number of edges [B] that each tree has followed."""
    return torch.stack([active for _, _, active in path]).sum(0).int()


def back_up(tree: SearchTree, path: Path, child: int) -> None:
    """Add the value of node `child` to the means of all edges and nodes of the path.

    An edge that has led to a known end again gains its reward only.
    """
    value = tree.raw_value[:, child]
    for node, action, active in reversed(path):
        rows, node, action = tree.rows[active], node[active], action[active]
        back = tree.reward[rows, node, action]
        discount = tree.discount[rows, node, action]
        back = back + (discount * value[rows]).where(discount != 0, 0.0)
        tree.visits[rows, node, action] += 1
        visits, q = tree.visits[rows, node, action], tree.q[rows, node, action]
        q = q + (back - q) / visits
        tree.q[rows, node, action] = q
        own = tree.value[rows, node]
        total = 1 + tree.visits[rows, node].sum(-1)
        tree.value[rows, node] = own + (back - own) / total
        tree.low[rows] = torch.minimum(tree.low[rows], q)
        tree.high[rows] = torch.maximum(tree.high[rows], q)
        value = value.index_put((rows,), back)
