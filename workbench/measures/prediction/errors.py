"""Errors by unroll depth: their means over cases and depths, and what blind guesses score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from workbench.types import Edge, map_tensors

T = TypeVar("T")

Errors = dict[str, float | None]
"""`NAME@k`: the mean error at depth k; None where it is not defined."""


@dataclass(frozen=True)
class TrueEdge:
    """What the moves that lead to one depth brought."""

    reward: Tensor  # [B]
    ended: Tensor  # [B] bool
    made: Tensor  # [B] bool, there was such a move

    def errors(self, edge: Edge, k: int) -> Errors:
        """Square error of the reward, and Brier score of the end."""
        sure = (edge.discount == 0).float()
        guess = sure if edge.termination is None else edge.termination
        return {
            f"reward_error@{k}": mean((edge.reward - self.reward) ** 2, self.made),
            f"termination_error@{k}": mean((guess - self.ended.float()) ** 2, self.made),
        }

    def chance(self, k: int) -> Errors:
        """What the best constants score."""
        return {
            f"reward_error@{k}": spread(self.reward, self.made),
            f"termination_error@{k}": spread(self.ended.float(), self.made),
        }


def on_cpu(record: T) -> T:
    return map_tensors(lambda tensor: tensor.cpu(), record)


def mean(values: Tensor, mask: Tensor) -> float | None:
    """Mean where the mask holds; None where it never does."""
    return float(values[mask].double().mean()) if bool(mask.any()) else None


def spread(truth: Tensor, mask: Tensor) -> float | None:
    """The least mean square error that a constant guess can have."""
    return float(truth[mask].double().var(correction=0)) if bool(mask.any()) else None


def with_means(errors: Mapping[str, float | None], names: Iterable[str], depth: int) -> Errors:
    """The errors as `predictive/NAME@k`, with each one's mean over the depths, `predictive/NAME`.

    Depths without cases are left out.
    """
    result: Errors = {}
    for name in names:
        known = {
            k: error for k in range(depth + 1) if (error := errors.get(f"{name}@{k}")) is not None
        }
        if known:
            result[f"predictive/{name}"] = sum(known.values()) / len(known)
        result |= {f"predictive/{name}@{k}": error for k, error in known.items()}
    return result


def levels(
    chance: Mapping[str, float | None], names: Iterable[str], depth: int
) -> dict[str, Mapping[str, float]]:
    """Chance beside perfection, which is 0, for every error and its mean."""
    named = with_means(chance, names, depth)
    return {
        metric: {"chance": value, "oracle": 0.0}
        for metric, value in named.items()
        if value is not None
    }
