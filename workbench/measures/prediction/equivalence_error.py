"""What a sequence of moves is worth, imagined and true, with the agent's own value at its end."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from workbench.contracts import Facts, Planner
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.measures.prediction.metric_accumulator import Tally, facts, on_cpu
from workbench.measures.prediction.true_latents import visited
from workbench.measures.prediction.unroll_sequences import along
from workbench.models.world_model import WorldModel
from workbench.types import Heads, gather

OWN_VALUE, REWARDS = "value_equivalence_error", "policy_evaluation_error"
CONSISTENCY = "self_consistency_error"


class EquivalenceError:
    """Errors of k-step returns along real moves, and of Bellman's equation in imagination.

    Imagined discounts are those that the agent's planner uses. Cases are the moves that are made
    before the true end; a move that ends the game is one of them, and nothing follows it.
    """

    def __init__(self, sequences: EvaluationSet, cut: bool, by_source: bool = False) -> None:
        """With `cut`, a predicted termination lessens the imagined discount."""
        self._set, self._cut = sequences, cut
        self._source = sequences.source if by_source else None
        self._states, self._row = visited(sequences)
        self._earned, self._weight = _true_returns(sequences)

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        data, tally = self._set, self._tally()
        known = agent.predict(self._states.encode(agent)).value.cpu()
        earned = torch.zeros(len(data.action))
        weight = torch.ones_like(earned)
        for k, (latent, edge) in enumerate(along(agent, data)):
            if edge is None:
                continue
            made, on_edge = data.reached[:, k - 1], on_cpu(edge)
            earned = earned + weight * on_edge.reward
            weight = weight * on_edge.onward(self._cut)
            # The value of any state past the end: its weight is 0.
            true = self._earned[:, k - 1] + self._weight[:, k - 1] * known[self._row[:, k]]
            imagined = earned + weight * agent.predict(latent).value.cpu()
            tally.mean(OWN_VALUE, k, (imagined - true).square(), made)
            tally.mean(REWARDS, k, (earned - self._earned[:, k - 1]).abs(), made)
        return tally.readings() | self._consistency(agent).readings()

    def facts(self) -> Facts:
        """Chance is to expect no reward ever; the other two have none."""
        tally = self._tally()
        for k in range(1, self._earned.shape[1] + 1):
            made = self._set.reached[:, k - 1]
            tally.mean(REWARDS, k, self._earned[:, k - 1].abs(), made)
        counts = tally.counts()
        counts |= {name.replace(REWARDS, OWN_VALUE): many for name, many in counts.items()}
        return facts(self._set, counts, tally.readings())

    def _tally(self) -> Tally:
        return Tally(self._source, SOURCES)

    def _consistency(self, agent: WorldModel) -> Tally:
        """(r + discount v' - v)^2 along the likeliest imagined moves, from every position once.

        Only the root's legal moves are known, but to a model that tells them itself. A line is
        left where the imagined discount says that the end is likelier than not.
        """
        tally, generator, roots = Tally(), Generator(), self._set.roots
        state, observation = gather(self._set.at(0), roots), self._set.observation[roots, 0]
        legal: Tensor | None = self._set.legal[roots, 0]
        latent = agent.represent(observation, generator, state)
        heads, going = agent.predict(latent), torch.ones(len(roots), dtype=torch.bool)
        for k in range(self._set.action.shape[1]):
            action = _likeliest(heads, legal)
            latent, edge = agent.step(latent, action, generator)
            value, heads, legal = heads.value.cpu(), agent.predict(latent), None
            edge = on_cpu(edge)
            onward = edge.onward(self._cut)
            error = (edge.reward + onward * heads.value.cpu() - value).square()
            tally.mean(CONSISTENCY, k, error, going)
            going = going & (onward.abs() > 0.5 * edge.discount.abs())
        return tally


def _likeliest(heads: Heads, legal: Tensor | None) -> Tensor:
    allowed = heads.legal if legal is None else legal.to(heads.policy.device)
    policy = heads.policy if allowed is None else heads.policy.masked_fill(~allowed, -torch.inf)
    return policy.argmax(-1)


def _true_returns(sequences: EvaluationSet) -> tuple[Tensor, Tensor]:
    """The discounted rewards of the first k moves, and the discount after them. [S, K] each"""
    weight = sequences.discount.cumprod(1)
    before = torch.cat([torch.ones(len(weight), 1), weight[:, :-1]], 1)
    return (before * sequences.reward).cumsum(1), weight
