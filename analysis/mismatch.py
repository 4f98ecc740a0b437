"""Predictive against decision quality of one study, and what picking by the first costs."""

from __future__ import annotations

import pandas as pd

from analysis.agreement import Agreement, Discord, Selection, agreement, discord, quality, selection
from analysis.frames import StudyResults
from analysis.wording import describe
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


def correlate(results: StudyResults) -> Agreement:
    return agreement(by_trial(results, str(results.study["predictive"])))


def select(frame: pd.DataFrame) -> Selection | None:
    return selection(frame["predictive"], frame["decision"])


def discordance(frame: pd.DataFrame) -> Discord:
    return discord(frame["predictive"], frame["decision"])


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


def correlation_frame(results: StudyResults) -> pd.DataFrame:
    """Pooled, within and between correlations of the study's two metrics, a row each.

    Empty where no trial has the predictive one.
    """
    if results.study["predictive"] not in predictive_metrics(results):
        return pd.DataFrame()
    levels = correlate(results)
    return pd.DataFrame(
        [
            {
                "level": level,
                "n": found.n,
                "spearman": found.spearman,
                "low": found.low,
                "high": found.high,
                "kendall": found.kendall,
                "note": found.note,
            }
            for level, found in (
                ("all trials", levels.pooled),
                ("within conditions", levels.within),
                ("between condition means", levels.between),
            )
        ]
    )
