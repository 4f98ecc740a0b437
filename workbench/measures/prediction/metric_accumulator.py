"""Accumulation of errors over an evaluation set: means by depth, by source, and overall.

A case counts if its mask holds. Constant baselines are accumulated in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from workbench import metrics
from workbench.contracts import MeasureInfo
from workbench.measures.prediction.evaluation_set import EvaluationSet
from workbench.metrics import Reading
from workbench.types import tree_map

T = TypeVar("T")


class MetricAccumulator:
    """Accumulates errors by name and depth and returns them as readings of `predictive/NAME`.

    Example::

        accumulator = MetricAccumulator(source, SOURCES)
        accumulator.mean("value_error", 3, (value - truth) ** 2, alive)
        accumulator.readings()["predictive/value_error@3[source=uniform]"]
    """

    def __init__(self, source: Tensor | None = None, names: Sequence[str] = ()) -> None:
        """`source` [S]: index into `names` of each case, if sources are reported separately."""
        self._groups: dict[str, Tensor | None] = {"": None}
        if source is not None:
            self._groups |= {names[i]: source == i for i in torch.unique(source).tolist()}
        self._found: dict[tuple[str, str], dict[int, float]] = {}
        self._counts: dict[tuple[str, str], dict[int, int]] = {}

    def mean(self, name: str, k: int, values: Tensor, mask: Tensor) -> None:
        """Record the mean of `values` [S] over the cases of `mask` [S]."""
        for group, inside in self._within(mask):
            self._add(group, name, k, mean(values, inside), inside)

    def constant_baseline(self, name: str, k: int, truth: Tensor, mask: Tensor) -> None:
        """Record the smallest mean squared error of a constant prediction of `truth`."""
        for group, inside in self._within(mask):
            self._add(group, name, k, constant_error(truth, inside), inside)

    def r2(self, name: str, k: int, found: Tensor, truth: Tensor, mask: Tensor) -> None:
        """Record R2: the share of the variance of `truth` [S, E] that `found` [S, E] explains.

        It covers all entries at once; a group of cases without variance is omitted.
        """
        for group, inside in self._within(mask):
            total = constant_error(truth, inside)
            if total:
                lost = float((found[inside] - truth[inside]).double().square().mean())
                self._add(group, name, k, 1 - lost / total, inside)

    def readings(self) -> dict[str, float | None]:
        """Return every mean by depth and over the depths; empty ones are omitted."""
        found: dict[str, float | None] = {}
        for (group, name), depths in self._found.items():
            at = {"source": group} if group else {}
            metric = f"predictive/{name}"
            found[str(Reading(metric, None, at))] = sum(depths.values()) / len(depths)
            found |= {str(Reading(metric, k, at)): value for k, value in depths.items()}
        return found

    def counts(self) -> dict[str, list[int]]:
        """Return the number of cases by depth, for every name and source."""
        return {
            str(Reading(f"predictive/{name}", None, {"source": group} if group else {})): [
                depths[k] for k in sorted(depths)
            ]
            for (group, name), depths in self._counts.items()
        }

    def _within(self, mask: Tensor) -> list[tuple[str, Tensor]]:
        return [
            (group, mask if inside is None else mask & inside)
            for group, inside in self._groups.items()
        ]

    def _add(self, group: str, name: str, k: int, value: float | None, mask: Tensor) -> None:
        self._counts.setdefault((group, name), {})[k] = int(mask.sum())
        if value is not None:
            self._found.setdefault((group, name), {})[k] = value


def measure_info(
    data: EvaluationSet, counts: Mapping[str, list[int]], chance: Mapping[str, float | None]
) -> MeasureInfo:
    """Describe a measure on this set; `naive` holds the readings of its naive baseline.

    The oracle level is the score of a perfect model. In a stochastic environment the irreducible
    error is unknown, so results report a naive level but no oracle level.
    """
    perfect = {name: known.oracle for name in chance if (known := metrics.spec(name))}
    levels: dict[str, dict[str, float | None]] = {
        name: {"naive": value, "oracle": oracle if data.exact else None}
        for name, value in chance.items()
        if value is not None and (oracle := perfect[name]) is not None
    }
    if not data.exact:
        unknown: dict[str, float | None] = {"oracle": None}
        levels = dict.fromkeys(counts, unknown) | levels
    return MeasureInfo(data.digest, len(data.roots), counts, levels)


def on_cpu(record: T) -> T:
    """Return the record with its tensors on the CPU."""
    return tree_map(lambda tensor: tensor.cpu(), record)


def mean(values: Tensor, mask: Tensor) -> float | None:
    """Return the mean over the mask; None if it is empty."""
    return float(values[mask].double().mean()) if bool(mask.any()) else None


def constant_error(truth: Tensor, mask: Tensor) -> float | None:
    """Return the smallest mean squared error of a constant prediction: the variance per entry."""
    if not bool(mask.any()):
        return None
    return float(truth[mask].double().var(0, correction=0).mean())
