"""Error of the action values that a search uses, in decisive positions."""

from __future__ import annotations

from functools import partial

import torch
from torch import Generator, Tensor

from workbench.contracts import MeasureInfo, Planner
from workbench.measures.exact.solved_positions import SolvedPositions
from workbench.models.world_model import WorldModel
from workbench.types import Latent, tree_map

NAME = "predictive/decision_weighted_error"


class WeightedError:
    """Mean of (r + discount v(g(s, a)) - Q*(s, a))^2, weighted by visits and by the value gap.

    An action's weight is its share of the search's visits. A position's weight is the gap between
    its best move and the best worse one: 0 if nothing is at stake.
    """

    def __init__(self, judged: SolvedPositions, cut: bool) -> None:
        """With `cut`, a predicted termination reduces later value, as in the search."""
        self._judged, self._cut = judged, cut

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Measure the agent and return the metrics."""
        imagined, visits = self._judged.evaluate(
            agent, partial(_q_and_visits, agent, planner, self._cut)
        )
        shares = visits / visits.sum(-1, keepdim=True).clamp(min=1)
        return {NAME: self._weighted((imagined - self._judged.q) ** 2, shares)}

    def info(self) -> MeasureInfo:
        """Return levels; the naive one is the best constant prediction with equal weights."""
        shares, q = self._judged.uniform, self._judged.q
        legal = self._judged.legal
        weights = (shares * self._judged.gap[:, None]).double()
        known = q.double().masked_fill(~legal, 0.0)
        total = weights.sum()
        levels = {}
        if total > 0:
            constant = (weights * known).sum() / total
            levels[NAME] = {
                "naive": float((weights * (known - constant) ** 2).sum() / total),
                "oracle": 0.0,
            }
        return MeasureInfo(self._judged.digest, len(self._judged), {}, levels)

    def _weighted(self, error: Tensor, shares: Tensor) -> float | None:
        """Return the weighted error; None if nothing is at stake."""
        weights = (shares * self._judged.gap[:, None]).double()
        error = error.double().masked_fill(~self._judged.legal, 0.0)
        total = weights.sum()
        return float((weights * error).sum() / total) if total > 0 else None


def _q_and_visits(
    agent: WorldModel,
    planner: Planner,
    cut: bool,
    root: Latent,
    legal: Tensor,
    generator: Generator,
) -> tuple[Tensor, Tensor]:
    """[B, A] each: predicted value of every action, and its visits."""
    visits = planner.plan(agent, root, legal, generator).visits.cpu().double()
    batch, actions = legal.shape
    every = tree_map(lambda t: t.repeat_interleave(actions, 0), root)
    action = torch.arange(actions).repeat(batch)
    if agent.spec.needs_state:  # a simulator executes legal actions only
        action = action.where(legal.flatten(), legal.int().argmax(-1).repeat_interleave(actions))
    then, edge = agent.step(every, action.to(agent.device), generator)
    predicted = edge.reward + edge.continuation_discount(cut) * agent.predict(then).value
    return predicted.cpu().view(batch, actions), visits
