"""Predicted and true returns of action sequences, with the agent's own value at the end."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from workbench.contracts import MeasureInfo, Planner
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.measures.prediction.metric_accumulator import MetricAccumulator, measure_info, on_cpu
from workbench.measures.prediction.true_latents import unique_states
from workbench.measures.prediction.unroll_sequences import unroll_sequences
from workbench.models.world_model import WorldModel
from workbench.types import Heads, gather

OWN_VALUE, REWARDS = "value_equivalence_error", "policy_evaluation_error"
CONSISTENCY = "self_consistency_error"


class EquivalenceError:
    """Errors of k-step returns along real actions, and of the Bellman equation along unrolls.

    Predicted discounts are those that the agent's planner uses. Actions count up to and including
    the one that ends the true episode; the true value after that one is 0.
    """

    def __init__(self, sequences: EvaluationSet, cut: bool, by_source: bool = False) -> None:
        """With `cut`, a predicted termination reduces the predicted discount."""
        self._set, self._cut = sequences, cut
        self._source = sequences.source if by_source else None
        self._states, self._row = unique_states(sequences)
        self._earned, self._weight = _true_returns(sequences)

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Measure the agent and return the metrics."""
        data, tally = self._set, self._tally()
        known = agent.predict(self._states.encode(agent)).value.cpu()
        earned = torch.zeros(len(data.action))
        weight = torch.ones_like(earned)
        for k, (latent, edge) in enumerate(unroll_sequences(agent, data)):
            if edge is None:
                continue
            made, on_edge = data.reached[:, k - 1], on_cpu(edge)
            earned = earned + weight * on_edge.reward
            weight = weight * on_edge.continuation_discount(self._cut)
            # The value past the end is arbitrary: its weight is 0.
            true = self._earned[:, k - 1] + self._weight[:, k - 1] * known[self._row[:, k]]
            imagined = earned + weight * agent.predict(latent).value.cpu()
            tally.mean(OWN_VALUE, k, (imagined - true).square(), made)
            tally.mean(REWARDS, k, (earned - self._earned[:, k - 1]).abs(), made)
        return tally.readings() | self._consistency(agent).readings()

    def info(self) -> MeasureInfo:
        """Return levels; the naive one predicts no reward, the other metrics have none."""
        tally = self._tally()
        for k in range(1, self._earned.shape[1] + 1):
            made = self._set.reached[:, k - 1]
            tally.mean(REWARDS, k, self._earned[:, k - 1].abs(), made)
        counts = tally.counts()
        counts |= {name.replace(REWARDS, OWN_VALUE): many for name, many in counts.items()}
        return measure_info(self._set, counts, tally.readings())

    def _tally(self) -> MetricAccumulator:
        return MetricAccumulator(self._source, SOURCES)

    def _consistency(self, agent: WorldModel) -> MetricAccumulator:
        """(r + discount v' - v)^2 along the most probable unrolled actions, once per position.

        Only the root's legal actions are known, unless the model predicts them. A line ends when
        the predicted discount makes termination more probable than not.
        """
        tally, generator, roots = MetricAccumulator(), Generator(), self._set.roots
        state, observation = gather(self._set.at(0), roots), self._set.observation[roots, 0]
        legal: Tensor | None = self._set.legal[roots, 0]
        latent = agent.represent(observation, generator, state)
        heads, going = agent.predict(latent), torch.ones(len(roots), dtype=torch.bool)
        for k in range(self._set.action.shape[1]):
            action = _likeliest(heads, legal)
            latent, edge = agent.step(latent, action, generator)
            value, heads, legal = heads.value.cpu(), agent.predict(latent), None
            edge = on_cpu(edge)
            onward = edge.continuation_discount(self._cut)
            error = (edge.reward + onward * heads.value.cpu() - value).square()
            tally.mean(CONSISTENCY, k, error, going)
            going = going & (onward.abs() > 0.5 * edge.discount.abs())
        return tally


def _likeliest(heads: Heads, legal: Tensor | None) -> Tensor:
    allowed = heads.legal if legal is None else legal.to(heads.policy.device)
    policy = heads.policy if allowed is None else heads.policy.masked_fill(~allowed, -torch.inf)
    return policy.argmax(-1)


def _true_returns(sequences: EvaluationSet) -> tuple[Tensor, Tensor]:
    """[S, K] each: discounted rewards of the first k actions, and the discount after them."""
    weight = sequences.discount.cumprod(1)
    before = torch.cat([torch.ones(len(weight), 1), weight[:, :-1]], 1)
    return (before * sequences.reward).cumsum(1), weight
