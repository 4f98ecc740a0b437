"""The comparisons a study declared, tested pair by pair on its primary and predictive metric."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis.formatting import describe
from analysis.frames import StudyResults
from analysis.statistics import PairedTest, Verdict, holm, paired_test, verdict
from workbench.metrics import MetricSpec


@dataclass(frozen=True)
class Comparison:
    """`against` minus `baseline` on one metric, over the seeds that both have finished."""

    baseline: str
    against: str
    metric: MetricSpec
    seeds: tuple[int, ...]
    test: PairedTest
    holm_p: float
    """Adjusted over the comparisons on the same metric."""

    @property
    def verdict(self) -> Verdict:
        return verdict(self.test.interval, self.metric.better)

    @property
    def label(self) -> str:
        return f"{self.against} − {self.baseline}"


def declared_pairs(results: StudyResults) -> list[tuple[str, str]]:
    """(baseline, against) as declared; else the baseline against every other condition."""
    declared = results.study.get("comparisons")
    if declared is not None:
        return [(pair["baseline"], pair["against"]) for pair in declared]
    baseline = results.study.get("baseline")
    return [(baseline, name) for name in results.conditions if baseline and name != baseline]


def compare(
    results: StudyResults, metric: str, pairs: list[tuple[str, str]] | None = None
) -> list[Comparison]:
    """Test each pair on `metric`; one family for Holm's correction."""
    table = results.by_seed(metric)
    found = []
    for baseline, against in declared_pairs(results) if pairs is None else pairs:
        both = table.reindex(columns=[baseline, against]).dropna()
        test = paired_test(both.iloc[:, 0].to_numpy(float), both.iloc[:, 1].to_numpy(float))
        found.append((baseline, against, tuple(int(seed) for seed in both.index), test))
    adjusted = holm([test.p for *_, test in found])
    return [
        Comparison(baseline, against, describe(metric), seeds, test, p)
        for (baseline, against, seeds, test), p in zip(found, adjusted, strict=True)
    ]


def compared_metrics(results: StudyResults) -> list[str]:
    """The study's primary metric, and its predictive one where a finished trial has it."""
    primary, predictive = results.study["primary"], results.study["predictive"]
    there = predictive in results.done and results.done[predictive].notna().any()
    return [primary, predictive] if there and predictive != primary else [primary]


def comparisons_frame(results: StudyResults) -> pd.DataFrame:
    """The comparisons on each metric at full precision, a row each."""
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
