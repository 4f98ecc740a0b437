"""Paired tests of the comparisons that a study declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.formatting import display_factor, resolve_metric, shared_places
from analysis.frames import StudyResults
from analysis.statistics import PairedTest, Verdict, holm, paired_test, verdict
from workbench.metrics import MetricSpec


@dataclass(frozen=True)
class Comparison:
    """Test of `against` minus `baseline` on one metric, over the seeds that both finished."""

    baseline: str
    against: str
    metric: MetricSpec
    seeds: tuple[int, ...]
    test: PairedTest
    holm_p: float
    """p value with Holm's correction over the comparisons on the same metric."""

    @property
    def verdict(self) -> Verdict:
        """Verdict about `against`."""
        return verdict(self.test, self.metric.better)

    @property
    def label(self) -> str:
        """The difference in words: `against − baseline`."""
        return f"{self.against} − {self.baseline}"


def declared_pairs(results: StudyResults) -> list[tuple[str, str]]:
    """Return the declared (baseline, against) pairs; by default the baseline and each other one."""
    declared = results.study.get("comparisons")
    if declared is not None:
        return [(pair["baseline"], pair["against"]) for pair in declared]
    baseline = results.study.get("baseline")
    return [(baseline, name) for name in results.conditions if baseline and name != baseline]


def compare(
    results: StudyResults, metric: str, pairs: list[tuple[str, str]] | None = None
) -> list[Comparison]:
    """Test each pair, by default the declared ones; all form one family for Holm's correction."""
    table = results.by_seed(metric)
    tests = []
    for baseline, against in declared_pairs(results) if pairs is None else pairs:
        both = table.reindex(columns=[baseline, against]).dropna()
        test = paired_test(both.iloc[:, 0].to_numpy(float), both.iloc[:, 1].to_numpy(float))
        tests.append((baseline, against, tuple(int(seed) for seed in both.index), test))
    adjusted = holm([test.p for *_, test in tests])
    return [
        Comparison(baseline, against, resolve_metric(metric), seeds, test, p)
        for (baseline, against, seeds, test), p in zip(tests, adjusted, strict=True)
    ]


def difference_places(comparisons: Sequence[Comparison]) -> int:
    """Return the number of decimals for the displayed differences in one metric."""
    factor = display_factor(comparisons[0].metric)
    intervals = [comparison.test.interval for comparison in comparisons]
    return shared_places(
        [0.0, *(factor * interval.mean for interval in intervals)],
        [factor * interval.half_width for interval in intervals],
        digits=3,
    )


def compared_metrics(results: StudyResults) -> list[str]:
    """Return the primary metric, and the predictive one if a finished trial has it."""
    primary, predictive = results.study["primary"], results.study["predictive"]
    measured = predictive in results.done and results.done[predictive].notna().any()
    return [primary, predictive] if measured and predictive != primary else [primary]


def comparisons_frame(results: StudyResults) -> pd.DataFrame:
    """Return all comparisons at full precision, one row per comparison and metric."""
    rows = [
        {
            "metric": c.metric.name,
            "baseline": c.baseline,
            "against": c.against,
            "pairs": c.test.interval.n,
            "difference": c.test.interval.mean,
            "low": c.test.interval.low,
            "high": c.test.interval.high,
            "sign_flip_p": c.test.p,
            "smallest_p": c.test.smallest_p,
            "holm_p": c.holm_p,
            "d_z": c.test.effect,
            "verdict": c.verdict,
            "note": c.test.interval.note,
        }
        for metric in compared_metrics(results)
        for c in compare(results, metric)
    ]
    return pd.DataFrame(rows)
