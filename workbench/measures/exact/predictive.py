"""How far a model's predictions are from the truth, by depth of imagination."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor

from workbench.contracts import Facts, Planner
from workbench.measures.exact.evaluation_set import EvaluationSet, evaluation_set
from workbench.models.world_model import WorldModel
from workbench.types import Edge, Heads, SolvedEnvironment, map_tensors

T = TypeVar("T")

NAMES = ("value_error", "policy_error", "reward_error", "termination_error")


class PredictiveError:
    """Errors of value, policy, reward and termination at unroll depth 0..K."""

    def __init__(self, environment: SolvedEnvironment, depth: int) -> None:
        self._environment, self._depth = environment, depth
        self._set = evaluation_set(environment, depth)

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """`predictive/NAME@k` and, over the depths, the mean `predictive/NAME`."""
        data, generator = self._set, torch.Generator()
        start = data.state[:, 0]
        latent = agent.represent(self._environment.observe(start), generator, start)
        errors = _of_heads(_on_cpu(agent.predict(latent)), data, 0)
        for k in range(1, self._depth + 1):
            action = data.action[:, k - 1].to(agent.device)
            latent, edge = agent.step(latent, action, generator)
            errors |= _of_heads(_on_cpu(agent.predict(latent)), data, k)
            errors |= _of_edge(_on_cpu(edge), data, k)
        return _with_means(errors, self._depth)

    def facts(self) -> Facts:
        counts = {
            f"predictive/{name}": [int(_mask(self._set, name, k).sum()) for k in self._depths(name)]
            for name in NAMES
        }
        return Facts(self._set.digest, len(self._environment.positions()), counts, self._levels())

    def _depths(self, name: str) -> range:
        return range(1 if name in NAMES[2:] else 0, self._depth + 1)

    def _levels(self) -> Mapping[str, Mapping[str, float]]:
        """Chance is the best constant guess, and for the policy a uniform one; perfection is 0."""
        levels = {}
        for name in NAMES:
            by_depth = {k: self._chance(name, k) for k in self._depths(name)}
            named = _with_means({f"{name}@{k}": v for k, v in by_depth.items()}, self._depth)
            for metric, chance in named.items():
                if chance is not None:
                    levels[metric] = {"chance": chance, "oracle": 0.0}
        return levels

    def _chance(self, name: str, k: int) -> float | None:
        data, mask = self._set, _mask(self._set, name, k)
        if name == "policy_error":
            share = data.optimal[:, k].float().mean(-1)
            return _mean(-share.log(), mask)
        truth = {
            "value_error": data.value[:, k],
            "reward_error": data.reward[:, k - 1],
            "termination_error": (~data.before_end[:, k]).float(),
        }[name]
        centre = _mean(truth, mask)
        return None if centre is None else _mean((truth - centre) ** 2, mask)


def _on_cpu(record: T) -> T:
    return map_tensors(lambda tensor: tensor.cpu(), record)


def _mask(data: EvaluationSet, name: str, k: int) -> Tensor:
    return data.reached[:, k - 1] if name in NAMES[2:] else data.before_end[:, k]


def _mean(values: Tensor, mask: Tensor) -> float | None:
    """Mean where the mask holds; None where it never does."""
    return float(values[mask].double().mean()) if bool(mask.any()) else None


def _of_heads(heads: Heads, data: EvaluationSet, k: int) -> dict[str, float | None]:
    log_policy = heads.policy.log_softmax(-1).masked_fill(~data.optimal[:, k], -torch.inf)
    mask = data.before_end[:, k]
    return {
        f"value_error@{k}": _mean((heads.value - data.value[:, k]) ** 2, mask),
        f"policy_error@{k}": _mean(-log_policy.logsumexp(-1), mask),
    }


def _of_edge(edge: Edge, data: EvaluationSet, k: int) -> dict[str, float | None]:
    ended = (~data.before_end[:, k]).float()
    guess = (edge.discount == 0).float() if edge.termination is None else edge.termination
    mask = data.reached[:, k - 1]
    return {
        f"reward_error@{k}": _mean((edge.reward - data.reward[:, k - 1]) ** 2, mask),
        f"termination_error@{k}": _mean((guess - ended) ** 2, mask),
    }


def _with_means(errors: Mapping[str, float | None], depth: int) -> dict[str, float | None]:
    """The errors under their full names, with the mean over depths of each kind."""
    result: dict[str, float | None] = {}
    for name in NAMES:
        by_depth = {k: errors.get(f"{name}@{k}") for k in range(depth + 1)}
        known = [value for value in by_depth.values() if value is not None]
        if known:
            result[f"predictive/{name}"] = sum(known) / len(known)
        for k, value in by_depth.items():
            if value is not None:
                result[f"predictive/{name}@{k}"] = value
    return result
