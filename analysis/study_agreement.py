"""Predictive against decision quality of one study, and what picking by the first costs."""

from __future__ import annotations

from functools import lru_cache

import pandas as pd

from analysis.formatting import describe
from analysis.frames import StudyResults
from analysis.rank_agreement import (
    Agreement,
    Correlation,
    Discord,
    Selection,
    agreement,
    discord,
    quality,
    selection,
)
from workbench.metrics import METRICS


def predictive_metrics(results: StudyResults) -> list[str]:
    """The study's own predictive metric first, then every other one that was measured."""
    known = [name for name, metric in METRICS.items() if metric.family == "predictive"]
    return [
        name
        for name in dict.fromkeys([results.study["predictive"], *known])
        if name in results.done and results.done[name].notna().any()
    ]


def by_trial(results: StudyResults, predictive: str) -> pd.DataFrame:
    """Finished trials: condition, and both qualities turned so that higher is better."""
    done = results.done.set_index("trial")
    columns = {"predictive": predictive, "decision": str(results.study["primary"])}
    return pd.DataFrame(
        {"condition": done["condition"]}
        | {
            key: quality(done[name], describe(name).better) if name in done else float("nan")
            for key, name in columns.items()
        }
    ).dropna()


def by_condition(results: StudyResults, predictive: str) -> pd.DataFrame:
    """Means of `by_trial` by condition, in the study's order."""
    means = by_trial(results, predictive).groupby("condition")[["predictive", "decision"]].mean()
    return means.reindex([name for name in results.conditions if name in means.index])


def correlate(results: StudyResults, predictive: str | None = None) -> Agreement:
    """Of a predictive metric, by default the study's own, with the study's decision metric."""
    return agreement(by_trial(results, predictive or str(results.study["predictive"])))


def select(frame: pd.DataFrame) -> Selection | None:
    return selection(frame["predictive"], frame["decision"])


def discordance(frame: pd.DataFrame) -> Discord:
    return discord(frame["predictive"], frame["decision"])


@lru_cache(maxsize=2)
def selection_frame(results: StudyResults) -> pd.DataFrame:
    """A row a predictive metric: picked and best condition, losses, concordant pairs."""
    rows = []
    for name in predictive_metrics(results):
        means, trials = by_condition(results, name), by_trial(results, name)
        condition, trial = select(means), select(trials)
        if condition is None or trial is None:
            continue
        pairs = discordance(means)
        rows.append(
            {
                "predictive": name,
                "decision": results.study["primary"],
                "picked_condition": condition.picked,
                "best_condition": condition.best,
                "condition_loss": condition.loss,
                "condition_loss_by_chance": condition.by_chance,
                "picked_trial": trial.picked,
                "best_trial": trial.best,
                "trial_loss": trial.loss,
                "trial_loss_by_chance": trial.by_chance,
                "concordant_pairs": pairs.concordant,
                "discordant_pairs": pairs.discordant,
                "tied_pairs": pairs.tied,
            }
        )
    return pd.DataFrame(rows)


@lru_cache(maxsize=2)
def correlation_frame(results: StudyResults) -> pd.DataFrame:
    """Pooled, within and between correlations of every predictive metric, a row each.

    Those of the study's own metric come first. Empty where no trial has any.
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
        "between condition means": found.between,
    }
