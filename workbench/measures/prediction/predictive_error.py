"""Errors of a model's predictions by unroll depth."""

from __future__ import annotations

import torch

from workbench.contracts import MeasureInfo, Planner
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.measures.prediction.metric_accumulator import MetricAccumulator, measure_info, on_cpu
from workbench.measures.prediction.unroll_sequences import unroll_sequences
from workbench.models.world_model import WorldModel
from workbench.types import Edge, Heads


class PredictiveError:
    """Errors of reward, termination and legal actions at unroll depth 0..K.

    With an oracle, of value and policy too.
    """

    def __init__(self, sequences: EvaluationSet, by_source: bool = False) -> None:
        self._set, self._depth = sequences, sequences.action.shape[1]
        self._source = sequences.source if by_source else None
        # If every action is always legal, there is nothing to predict.
        self._restricted = not bool(sequences.legal[sequences.before_end].all())

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Return `predictive/NAME@k` and, averaged over depths, `predictive/NAME`."""
        tally = self._tally()
        for k, (latent, edge) in enumerate(unroll_sequences(agent, self._set)):
            self._heads(tally, on_cpu(agent.predict(latent)), k)
            if edge is not None:
                self._edge(tally, on_cpu(edge), k)
        return tally.readings()

    def info(self) -> MeasureInfo:
        """Return levels; naive: the best constant prediction, and a uniform policy."""
        data, tally = self._set, self._tally()
        for k in range(self._depth + 1):
            alive = data.before_end[:, k]
            if data.value is not None:
                tally.constant_baseline("value_error", k, data.value[:, k], alive)
            if data.optimal is not None:
                share = data.optimal[:, k].float().mean(-1)
                tally.mean("policy_error", k, -share.log(), alive)
            if self._restricted:
                tally.mean("illegal_mass", k, (~data.legal[:, k]).float().mean(-1), alive)
            if k:
                made = data.reached[:, k - 1]
                tally.constant_baseline("reward_error", k, data.reward[:, k - 1], made)
                tally.constant_baseline("termination_error", k, (~alive).float(), made)
        return measure_info(data, tally.counts(), tally.readings())

    def _tally(self) -> MetricAccumulator:
        return MetricAccumulator(self._source, SOURCES)

    def _heads(self, tally: MetricAccumulator, heads: Heads, k: int) -> None:
        data, alive = self._set, self._set.before_end[:, k]
        log_policy = heads.policy.log_softmax(-1)
        if data.value is not None:
            tally.mean("value_error", k, (heads.value - data.value[:, k]) ** 2, alive)
        if data.optimal is not None:
            found = log_policy.masked_fill(~data.optimal[:, k], -torch.inf).logsumexp(-1)
            tally.mean("policy_error", k, -found, alive)
        if self._restricted:
            illegal = log_policy.exp().masked_fill(data.legal[:, k], 0.0).sum(-1)
            tally.mean("illegal_mass", k, illegal, alive)

    def _edge(self, tally: MetricAccumulator, edge: Edge, k: int) -> None:
        """Record the squared error of the reward and the Brier score of the termination."""
        data, made = self._set, self._set.reached[:, k - 1]
        ended = (~data.before_end[:, k]).float()
        sure = (edge.discount == 0).float()
        guess = sure if edge.termination is None else edge.termination
        tally.mean("reward_error", k, (edge.reward - data.reward[:, k - 1]) ** 2, made)
        tally.mean("termination_error", k, (guess - ended) ** 2, made)
