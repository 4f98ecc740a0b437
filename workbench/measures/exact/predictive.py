"""How far a model's predictions are from the truth, by depth of imagination."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.contracts import Facts, Planner
from workbench.measures.exact.evaluation_set import EvaluationSet
from workbench.measures.prediction.errors import (
    Errors,
    TrueEdge,
    levels,
    mean,
    on_cpu,
    spread,
    with_means,
)
from workbench.models.world_model import WorldModel
from workbench.types import Environment, Heads, map_tensors

NAMES = ("value_error", "policy_error", "reward_error", "termination_error")


class PredictiveError:
    """Errors of value, policy, reward and termination at unroll depth 0..K."""

    def __init__(self, environment: Environment, sequences: EvaluationSet) -> None:
        self._environment, self._set = environment, sequences
        self._depth = sequences.action.shape[1]

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """`predictive/NAME@k` and, over the depths, the mean `predictive/NAME`."""
        data, generator = self._set, torch.Generator()
        start = map_tensors(lambda states: states[:, 0], data.state)
        latent = agent.represent(self._environment.observe(start), generator, start)
        errors = _of_heads(on_cpu(agent.predict(latent)), data, 0)
        for k in range(1, self._depth + 1):
            action = data.action[:, k - 1].to(agent.device)
            latent, edge = agent.step(latent, action, generator)
            errors |= _of_heads(on_cpu(agent.predict(latent)), data, k)
            errors |= _truth(data, k).errors(on_cpu(edge), k)
        return with_means(errors, NAMES, self._depth)

    def facts(self) -> Facts:
        """Chance is the best constant guess, and for the policy a uniform one."""
        counts = {
            f"predictive/{name}": [int(_mask(self._set, name, k).sum()) for k in self._depths(name)]
            for name in NAMES
        }
        chance = _blind(self._set, 0)
        for k in range(1, self._depth + 1):
            chance |= _blind(self._set, k) | _truth(self._set, k).chance(k)
        return Facts(
            self._set.digest,
            len(self._set.action) // 2,
            counts,
            levels(chance, NAMES, self._depth),
        )

    def _depths(self, name: str) -> range:
        return range(1 if name in NAMES[2:] else 0, self._depth + 1)


def _mask(data: EvaluationSet, name: str, k: int) -> Tensor:
    return data.reached[:, k - 1] if name in NAMES[2:] else data.before_end[:, k]


def _truth(data: EvaluationSet, k: int) -> TrueEdge:
    return TrueEdge(data.reward[:, k - 1], ~data.before_end[:, k], data.reached[:, k - 1])


def _of_heads(heads: Heads, data: EvaluationSet, k: int) -> Errors:
    log_policy = heads.policy.log_softmax(-1).masked_fill(~data.optimal[:, k], -torch.inf)
    mask = data.before_end[:, k]
    return {
        f"value_error@{k}": mean((heads.value - data.value[:, k]) ** 2, mask),
        f"policy_error@{k}": mean(-log_policy.logsumexp(-1), mask),
    }


def _blind(data: EvaluationSet, k: int) -> Errors:
    """What the best constant value and a uniform policy score."""
    mask, share = data.before_end[:, k], data.optimal[:, k].float().mean(-1)
    return {
        f"value_error@{k}": spread(data.value[:, k], mask),
        f"policy_error@{k}": mean(-share.log(), mask),
    }
