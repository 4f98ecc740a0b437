"""Agreement of predictive and decision quality in one study, and the selection regret."""

from __future__ import annotations

from functools import lru_cache

import pandas as pd

from analysis.formatting import resolve_metric
from analysis.frames import StudyResults
from analysis.rank_agreement import (
    Agreement,
    Correlation,
    PairCounts,
    Selection,
    agreement,
    count_pairs,
    quality,
    selection,
)
from workbench.metrics import METRICS

BETWEEN = "between condition means"
"""Level of the correlation over condition means."""


def predictive_metrics(results: StudyResults) -> list[str]:
    """Return the measured predictive metrics, the study's own one first."""
    known = [name for name, metric in METRICS.items() if metric.family == "predictive"]
    return [
        name
        for name in dict.fromkeys([results.study["predictive"], *known])
        if name in results.done and results.done[name].notna().any()
    ]


def by_trial(results: StudyResults, predictive: str) -> pd.DataFrame:
    """Return condition, seed and both qualities of each finished trial; higher is better."""
    done = results.done.set_index("trial")
    columns = {"predictive": predictive, "decision": str(results.study["primary"])}
    return pd.DataFrame(
        {"condition": done["condition"], "seed": done["seed"]}
        | {
            key: quality(done[name], resolve_metric(name).better) if name in done else float("nan")
            for key, name in columns.items()
        }
    ).dropna()


def by_condition(results: StudyResults, predictive: str) -> pd.DataFrame:
    """Return the means of `by_trial` by condition, in the study's order."""
    means = by_trial(results, predictive).groupby("condition")[["predictive", "decision"]].mean()
    return means.reindex([name for name in results.conditions if name in means.index])


def correlate(results: StudyResults, predictive: str | None = None) -> Agreement:
    """Correlate a predictive metric, by default the study's own, with its primary metric."""
    return agreement(by_trial(results, predictive or str(results.study["predictive"])))


def select(frame: pd.DataFrame) -> Selection | None:
    """Pick a row of `by_trial` or `by_condition` by its predictive quality."""
    return selection(frame["predictive"], frame["decision"])


def condition_pairs(frame: pd.DataFrame) -> PairCounts:
    """Count the pairs of rows that the two qualities order alike or oppositely."""
    return count_pairs(frame["predictive"], frame["decision"])


@lru_cache(maxsize=2)
def selection_frame(results: StudyResults) -> pd.DataFrame:
    """Return one row per predictive metric: picked and best label, losses, pair counts."""
    rows = []
    for name in predictive_metrics(results):
        means, trials = by_condition(results, name), by_trial(results, name)
        condition, trial = select(means), select(trials)
        if condition is None or trial is None:
            continue
        pairs = condition_pairs(means)
        rows.append(
            {
                "predictive": name,
                "decision": results.study["primary"],
                "picked_condition": condition.picked,
                "best_condition": condition.best,
                "condition_loss": condition.loss,
                "condition_loss_by_chance": condition.random_loss,
                "picked_trial": trial.picked,
                "best_trial": trial.best,
                "trial_loss": trial.loss,
                "trial_loss_by_chance": trial.random_loss,
                "concordant_pairs": pairs.concordant,
                "discordant_pairs": pairs.discordant,
                "tied_pairs": pairs.tied,
            }
        )
    return pd.DataFrame(rows)


@lru_cache(maxsize=2)
def correlation_frame(results: StudyResults) -> pd.DataFrame:
    """Return pooled, within and between correlations of every predictive metric, one row each.

    Rows of the study's own metric come first. Empty if no trial has a predictive metric.
    """
    return pd.DataFrame(
        [
            {
                "predictive": name,
                "level": level,
                "n": found.n,
                "spearman": found.spearman,
                "low": found.low,
                "high": found.high,
                "kendall": found.kendall,
                "note": found.note,
            }
            for name in predictive_metrics(results)
            for level, found in _levels(correlate(results, name)).items()
        ]
    )


def _levels(found: Agreement) -> dict[str, Correlation]:
    return {
        "all trials": found.pooled,
        "within conditions": found.within,
        BETWEEN: found.between,
    }
