"""Caveats: reasons to doubt the findings of a study."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.formatting import count, format_p, resolve_metric, title_in_sentence
from analysis.frames import StudyResults
from analysis.paired_comparisons import Comparison, compare, compared_metrics
from analysis.study_agreement import correlate


def caveats(results: StudyResults) -> list[str]:
    """Return the caveats of a study, one sentence or two each."""
    comparisons = compare(results, results.study["primary"])
    found = [
        *_damaged(results), *_unfinished(results), *_missing_values(results),
        *_few_seeds(comparisons), *_many_comparisons(comparisons), *match_caveats(results),
        *_unequal(results), *_evaluated(results), *_sources(results),
    ]  # fmt: skip
    if correlate(results).alarm:
        found.append(
            "Simpson's paradox: predictive and decision quality correlate with different signs "
            "over all trials, within conditions and between conditions. The pooled correlation "
            "misleads."
        )
    return found


def match_caveats(results: StudyResults) -> list[str]:
    """Return a caveat if parameter counts differ by more than the declared tolerance."""
    match, sizes = results.study.get("match"), matched_sizes(results)
    if not match or len(sizes) < 2:
        return []
    low, high = min(sizes.values()), max(sizes.values())
    if high <= low * (1 + match["tolerance"]):
        return []
    counts = ", ".join(f"`{name}` {size:,.0f}" for name, size in sizes.items())
    return [
        f"Parameters of the {match['part']} are not matched within {match['tolerance']:.0%}: "
        f"{counts}."
    ]


def matched_sizes(results: StudyResults) -> dict[str, float]:
    """Return the number of parameters of the matched part by condition; empty without a match."""
    match = results.study.get("match")
    if not match:
        return {}
    sizes = results.trials.groupby("condition")[f"parameters_{match['part']}"].max().dropna()
    return {name: float(sizes[name]) for name in results.conditions if name in sizes.index}


def _damaged(results: StudyResults) -> list[str]:
    """Return a caveat for each trial with files that cannot be used."""
    return [
        f"Trial `{condition}`, seed {seed}, has damaged files: {'; '.join(rows['reason'])}."
        for (condition, seed), rows in results.damage.groupby(["condition", "seed"], sort=False)
    ]


def _unfinished(results: StudyResults) -> list[str]:
    missing, planned = len(results.failures), len(results.trials)
    if not missing:
        return []
    return [
        f"{missing} of {count(planned, 'trial')} did not finish and are excluded from "
        "every mean. If they failed because of their condition, its mean is too favourable."
    ]


def _missing_values(results: StudyResults) -> list[str]:
    """Return a caveat for each main metric of which a finished trial has no finite value."""
    done, found = results.done, []
    for metric in compared_metrics(results):
        values = done[metric] if metric in done else pd.Series(np.nan, index=done.index)
        lacking = done[~np.isfinite(values.to_numpy(float))]
        if len(lacking):
            trials = [f"`{row.condition}` seed {row.seed}" for row in lacking.itertuples()]
            more = f" and {len(trials) - 3} more" if len(trials) > 3 else ""
            which = f"{count(len(lacking), 'finished trial')} ({', '.join(trials[:3])}{more})"
            found.append(
                f"{which} without a finite value of {title_in_sentence(resolve_metric(metric))}: "
                "excluded from its means and comparisons."
            )
    return found


def _few_seeds(comparisons: list[Comparison]) -> list[str]:
    pairs = max((c.test.interval.n for c in comparisons), default=0)
    smallest = min((c.test.smallest_p for c in comparisons if c.test.interval.n), default=1.0)
    if pairs < 2 or smallest * len(comparisons) <= 0.05:
        return []
    reach = f"p = {format_p(smallest)}"
    if smallest <= 0.05:
        corrected = format_p(smallest * len(comparisons))
        reach += f", {corrected} after Holm's correction for {len(comparisons)} comparisons"
    return [
        f"With {count(pairs, 'pair')} an exact sign-flip test cannot go below {reach}. It cannot "
        "reach 0.05, however large the difference is. The t interval can exclude zero, but it "
        "assumes normal differences."
    ]


def _many_comparisons(comparisons: list[Comparison]) -> list[str]:
    won = [c for c in comparisons if c.verdict in ("favours", "against") and c.holm_p > 0.05]
    if len(comparisons) < 2 or not won:
        return []
    return [
        f"The study makes {count(len(comparisons), 'comparison')} on the primary metric, each "
        f"with its own 95 % interval. {len(won)} intervals exclude zero without a sign-flip p "
        "below 0.05 after Holm's correction."
        if len(won) > 1
        else f"The study makes {count(len(comparisons), 'comparison')} on the primary metric, each "
        f"with its own 95 % interval. The interval of `{won[0].against}` against "
        f"`{won[0].baseline}` excludes zero without a sign-flip p below 0.05 after Holm's "
        "correction."
    ]  # fmt: skip


def _unequal(results: StudyResults) -> list[str]:
    done = results.trials[results.trials["state"] == "done"]
    found = []
    if done["evaluation_hash"].nunique() > 1:
        found.append(
            f"Trials were measured on {done['evaluation_hash'].nunique()} different evaluation "
            "sets. Compare only conditions with the same set."
        )
    mixed = int(done["code"].astype(str).str.contains("+", regex=False).sum())
    if mixed:
        found.append(
            f"{count(mixed, 'trial')} began under one version of the workbench's code and "
            "continued under another. Remove their folders to run them again."
        )
    if done["code"].nunique() > 1:
        found.append(
            f"Trials come from {done['code'].nunique()} versions of the workbench's code; "
            "the means mix them. Remove the folders of the older trials to run them again."
        )
    if done["updates"].nunique() > 1 or done["step"].nunique() > 1:
        found.append("Finished trials differ in environment steps or updates.")
    return found


def _sources(results: StudyResults) -> list[str]:
    if set(results.evaluation["source"].dropna()) != {"uniform"}:
        return []
    return [
        "Predictions were measured along random actions only, because this environment offers no "
        "planning player. States that only skilled play reaches are not among the cases."
    ]


def _evaluated(results: StudyResults) -> list[str]:
    """Return caveats if some trials were not evaluated, or by another version of the code."""
    done = results.trials[results.trials["state"] == "done"]
    codes = done["evaluation_code"]
    measured, found = int(codes.map(bool).sum()), []
    if 0 < measured < len(done):
        found.append(
            f"`workbench evaluate` has measured {measured} of {count(len(done), 'finished trial')}."
            " Metrics that only it measures average over those."
        )
    pairs = zip(codes, done["code"], strict=True)
    stale = sum(bool(set(measuring) - {training}) for measuring, training in pairs)
    if stale:
        found.append(
            f"The evaluation of {count(stale, 'trial')} comes from another version of the "
            "workbench's code than the trial itself. Remove the trial's `evaluation` folder and "
            "run `workbench evaluate` to measure it again."
        )
    return found
