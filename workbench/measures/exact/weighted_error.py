"""The error of what a search looks at, where the moves differ in worth."""

from __future__ import annotations

from functools import partial

import torch
from torch import Generator, Tensor

from workbench.contracts import Facts, Planner
from workbench.measures.exact.solved_positions import JudgedPositions
from workbench.models.world_model import WorldModel
from workbench.types import Latent, map_tensors

NAME = "predictive/relevant_error"


class DecisionRelevantError:
    """Mean square of r + discount v(g(s, a)) - Q*(s, a), weighted by visits and by the gap.

    A move counts by the share of the search's visits that it has, and a position by the gap
    between its best move and the best of those that are worse: 0 where nothing is at stake.
    """

    def __init__(self, judged: JudgedPositions, cut: bool) -> None:
        """With `cut`, a predicted end lessens the value beyond, as in the search."""
        self._judged, self._cut = judged, cut

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        imagined, visits = self._judged.each(agent, partial(_looked_at, agent, planner, self._cut))
        shares = visits / visits.sum(-1, keepdim=True).clamp(min=1)
        return {NAME: self._weighted((imagined - self._judged.q) ** 2, shares)}

    def facts(self) -> Facts:
        """Chance is the best constant guess, every legal move counting alike."""
        shares, q = self._judged.uniform, self._judged.q
        legal = self._judged.legal
        weights = (shares * self._judged.gap[:, None]).double()
        known = q.double().masked_fill(~legal, 0.0)
        total = weights.sum()
        levels = {}
        if total > 0:
            constant = (weights * known).sum() / total
            levels[NAME] = {
                "chance": float((weights * (known - constant) ** 2).sum() / total),
                "oracle": 0.0,
            }
        return Facts(self._judged.digest, len(self._judged), {}, levels)

    def _weighted(self, error: Tensor, shares: Tensor) -> float | None:
        """None where nothing is at stake."""
        weights = (shares * self._judged.gap[:, None]).double()
        error = error.double().masked_fill(~self._judged.legal, 0.0)
        total = weights.sum()
        return float((weights * error).sum() / total) if total > 0 else None


def _looked_at(
    agent: WorldModel,
    planner: Planner,
    cut: bool,
    root: Latent,
    legal: Tensor,
    generator: Generator,
) -> tuple[Tensor, Tensor]:
    """The imagined worth of every move, and its visits. [B, A] each"""
    visits = planner.plan(agent, root, legal, generator).visits.cpu().double()
    batch, actions = legal.shape
    every = map_tensors(lambda t: t.repeat_interleave(actions, 0), root)
    action = torch.arange(actions).repeat(batch)
    if agent.spec.needs_state:  # a simulator makes legal moves only
        action = action.where(legal.flatten(), legal.int().argmax(-1).repeat_interleave(actions))
    then, edge = agent.step(every, action.to(agent.device), generator)
    worth = edge.reward + edge.onward(cut) * agent.predict(then).value
    return worth.cpu().view(batch, actions), visits
