"""Full tree search: expand every action to a fixed depth and back up the maximum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from workbench.models.world_model import WorldModel
from workbench.planning.tree.plan_check import check_plan
from workbench.types import Latent, Plan, tree_leaves, tree_map

Shape = Literal["regularised", "softmax", "greedy"]


@dataclass(frozen=True)
class FullTree:
    """Full tree search: Q(s, a) = r + discount * V(s').

    V is the model's value at the last level, else max_b Q(s', b). A level of the tree is one call
    of the model with B * A^level rows.
    """

    depth: int
    shape: Shape
    temperature: float
    interior_legality: bool
    use_predicted_termination: bool
    differentiable: bool

    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: Tensor,
        generator: Generator,
        explore: bool = False,
    ) -> Plan:
        """Search from a batch of roots; `legal` [B, A] masks their actions."""
        with torch.set_grad_enabled(self.differentiable and torch.is_grad_enabled()):
            legal = legal.to(model.device)
            q = self._q(model, root, legal.shape[1], generator, self.depth)
            open_q = q.masked_fill(~legal, -torch.inf)
            value = open_q.amax(1)
            return check_plan(
                Plan(
                    policy=self._policy(model, root, legal, open_q),
                    value=value,
                    q=q.where(legal, value[:, None]),
                    visits=legal * legal.shape[1] ** (self.depth - 1),
                    depth=torch.full_like(value, self.depth, dtype=torch.int32),
                )
            )

    def _q(
        self, model: WorldModel, latent: Latent, actions: int, generator: Generator, depth: int
    ) -> Tensor:
        """[B, A] Q of every action at a batch of latents, with `depth` actions of lookahead."""
        every = tree_map(lambda t: t.repeat_interleave(actions, 0), latent)
        action = torch.arange(actions, device=model.device).repeat(len(tree_leaves(latent)[0]))
        then, edge = model.step(every, action, generator)
        ahead = self._value(model, then, actions, generator, depth - 1)
        onward = edge.continuation_discount(self.use_predicted_termination)
        return (edge.reward + onward * ahead).view(-1, actions)

    def _value(
        self, model: WorldModel, latent: Latent, actions: int, generator: Generator, depth: int
    ) -> Tensor:
        """[B] Value of a batch of latents; a latent without legal actions is not expanded."""
        if depth == 0:
            return model.predict(latent).value
        q = self._q(model, latent, actions, generator, depth)
        if not self.interior_legality:
            return q.amax(1)
        heads = model.predict(latent)
        assert heads.legal is not None
        best = q.masked_fill(~heads.legal, -torch.inf).amax(1)
        return best.where(heads.legal.any(1), heads.value)

    def _policy(self, model: WorldModel, root: Latent, legal: Tensor, q: Tensor) -> Tensor:
        """[B, A] Policy from q, which is -inf for illegal actions."""
        if self.shape == "greedy":
            return torch.nn.functional.one_hot(q.argmax(1), q.shape[1]).to(q.dtype)
        logits = q / self.temperature
        if self.shape == "regularised":
            logits = logits + model.predict(root).policy
        return logits.masked_fill(~legal, -torch.inf).softmax(1)
