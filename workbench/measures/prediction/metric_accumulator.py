"""Errors over the cases of an evaluation set: means by depth, by source of the moves, and of all.

A case counts where its mask holds. What a constant guess scores is gathered in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from workbench import metrics
from workbench.contracts import Facts
from workbench.measures.prediction.evaluation_set import EvaluationSet
from workbench.metrics import Reading
from workbench.types import map_tensors

T = TypeVar("T")


class Tally:
    """Gathers `NAME` at depth k, and gives it as readings of `predictive/NAME`.

    tally = Tally(source, SOURCES)
    tally.mean("value_error", 3, (value - truth) ** 2, alive)
    tally.readings()["predictive/value_error@3[source=uniform]"]
    """

    def __init__(self, source: Tensor | None = None, names: Sequence[str] = ()) -> None:
        """`source` [S]: by which of `names` each case is told apart, if it is."""
        self._groups: dict[str, Tensor | None] = {"": None}
        if source is not None:
            self._groups |= {names[i]: source == i for i in torch.unique(source).tolist()}
        self._found: dict[tuple[str, str], dict[int, float]] = {}
        self._counts: dict[tuple[str, str], dict[int, int]] = {}

    def mean(self, name: str, k: int, values: Tensor, mask: Tensor) -> None:
        """The mean of `values` [S] over the cases of `mask` [S]."""
        for group, inside in self._within(mask):
            self._add(group, name, k, mean(values, inside), inside)

    def spread(self, name: str, k: int, truth: Tensor, mask: Tensor) -> None:
        """The least mean square error that a constant guess at `truth` [S, ...] can have."""
        for group, inside in self._within(mask):
            self._add(group, name, k, spread(truth, inside), inside)

    def explained(self, name: str, k: int, found: Tensor, truth: Tensor, mask: Tensor) -> None:
        """R2: the share of the variance of `truth` [S, E] that `found` [S, E] explains.

        Over all entries at once; a group of cases without any variance is left out.
        """
        for group, inside in self._within(mask):
            total = spread(truth, inside)
            if total:
                lost = float((found[inside] - truth[inside]).double().square().mean())
                self._add(group, name, k, 1 - lost / total, inside)

    def readings(self) -> dict[str, float | None]:
        """Every mean by depth, and over the depths; those without cases are left out."""
        found: dict[str, float | None] = {}
        for (group, name), depths in self._found.items():
            at = {"source": group} if group else {}
            metric = f"predictive/{name}"
            found[str(Reading(metric, None, at))] = sum(depths.values()) / len(depths)
            found |= {str(Reading(metric, k, at)): value for k, value in depths.items()}
        return found

    def counts(self) -> dict[str, list[int]]:
        """Cases by depth, from the first depth on, of every name and source."""
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


def facts(
    data: EvaluationSet, counts: Mapping[str, list[int]], chance: Mapping[str, float | None]
) -> Facts:
    """What a measure on the set has to say of itself, by the readings of blind guessing.

    Beside chance stands what perfection scores. Where a world may be moved by chance, nobody knows
    how little of it can be foreseen.
    """
    perfect = {name: known.oracle for name in chance if (known := metrics.spec(name))}
    levels: dict[str, dict[str, float | None]] = {
        name: {"chance": value, "oracle": oracle if data.exact else None}
        for name, value in chance.items()
        if value is not None and (oracle := perfect[name]) is not None
    }
    if not data.exact:
        unknown: dict[str, float | None] = {"oracle": None}
        levels = dict.fromkeys(counts, unknown) | levels
    return Facts(data.digest, len(data.roots), counts, levels)


def on_cpu(record: T) -> T:
    return map_tensors(lambda tensor: tensor.cpu(), record)


def mean(values: Tensor, mask: Tensor) -> float | None:
    """Mean where the mask holds; None where it never does."""
    return float(values[mask].double().mean()) if bool(mask.any()) else None


def spread(truth: Tensor, mask: Tensor) -> float | None:
    """The least mean square error that a constant guess can have: the variance, entry by entry."""
    if not bool(mask.any()):
        return None
    return float(truth[mask].double().var(0, correction=0).mean())
