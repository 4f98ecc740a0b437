"""How far a model's predictions are from the truth, by depth of imagination."""

from __future__ import annotations

import torch

from workbench.contracts import Facts, Planner
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.measures.prediction.metric_accumulator import Tally, facts, on_cpu
from workbench.measures.prediction.unroll_sequences import along
from workbench.models.world_model import WorldModel
from workbench.types import Edge, Heads


class PredictiveError:
    """Errors of reward, termination and legal moves at unroll depth 0..K, and where an oracle tells
    what moves are worth, of value and policy."""

    def __init__(self, sequences: EvaluationSet, by_source: bool = False) -> None:
        self._set, self._depth = sequences, sequences.action.shape[1]
        self._source = sequences.source if by_source else None
        # Where every move always is legal, there is nothing to tell.
        self._restricted = not bool(sequences.legal[sequences.before_end].all())

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """`predictive/NAME@k` and, over the depths, the mean `predictive/NAME`."""
        tally = self._tally()
        for k, (latent, edge) in enumerate(along(agent, self._set)):
            self._heads(tally, on_cpu(agent.predict(latent)), k)
            if edge is not None:
                self._edge(tally, on_cpu(edge), k)
        return tally.readings()

    def facts(self) -> Facts:
        """Chance is the best constant guess, and for the policy a uniform one."""
        data, tally = self._set, self._tally()
        for k in range(self._depth + 1):
            alive = data.before_end[:, k]
            if data.value is not None:
                tally.spread("value_error", k, data.value[:, k], alive)
            if data.optimal is not None:
                share = data.optimal[:, k].float().mean(-1)
                tally.mean("policy_error", k, -share.log(), alive)
            if self._restricted:
                tally.mean("illegal_mass", k, (~data.legal[:, k]).float().mean(-1), alive)
            if k:
                made = data.reached[:, k - 1]
                tally.spread("reward_error", k, data.reward[:, k - 1], made)
                tally.spread("termination_error", k, (~alive).float(), made)
        return facts(data, tally.counts(), tally.readings())

    def _tally(self) -> Tally:
        return Tally(self._source, SOURCES)

    def _heads(self, tally: Tally, heads: Heads, k: int) -> None:
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

    def _edge(self, tally: Tally, edge: Edge, k: int) -> None:
        """Square error of the reward, and Brier score of the end."""
        data, made = self._set, self._set.reached[:, k - 1]
        ended = (~data.before_end[:, k]).float()
        sure = (edge.discount == 0).float()
        guess = sure if edge.termination is None else edge.termination
        tally.mean("reward_error", k, (edge.reward - data.reward[:, k - 1]) ** 2, made)
        tally.mean("termination_error", k, (guess - ended) ** 2, made)
