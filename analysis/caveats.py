"""What a reader must know before believing the answer."""

from __future__ import annotations

from analysis.formatting import count, p_value
from analysis.frames import StudyResults
from analysis.paired_comparisons import Comparison, compare
from analysis.study_agreement import correlate


def cautions(results: StudyResults) -> list[str]:
    """What a reader must know before believing anything."""
    comparisons = compare(results, results.study["primary"])
    found = [
        *_unfinished(results), *_few_seeds(comparisons), *_many_comparisons(comparisons),
        *match_cautions(results), *_unequal(results), *_evaluated(results), *_followed(results),
    ]  # fmt: skip
    if correlate(results).alarm:
        found.append(
            "Simpson's paradox: predictive and decision quality correlate with different signs "
            "over all trials, within conditions and between conditions; the pooled number misleads."
        )
    return found


def match_cautions(results: StudyResults) -> list[str]:
    """Parameter counts that miss the declared match."""
    match, sizes = results.study.get("match"), matched_sizes(results)
    if not match or len(sizes) < 2:
        return []
    low, high = min(sizes.values()), max(sizes.values())
    if high <= low * (1 + match["tolerance"]):
        return []
    listed = ", ".join(f"`{name}` {size:,.0f}" for name, size in sizes.items())
    return [
        f"Parameters of the {match['part']} are not matched within {match['tolerance']:.0%}: "
        f"{listed}."
    ]


def matched_sizes(results: StudyResults) -> dict[str, float]:
    """Achieved parameters of the matched part by condition."""
    match = results.study.get("match")
    if not match:
        return {}
    sizes = results.trials.groupby("condition")[f"parameters_{match['part']}"].max().dropna()
    return {name: float(sizes[name]) for name in results.conditions if name in sizes.index}


def _unfinished(results: StudyResults) -> list[str]:
    missing, planned = len(results.failures), len(results.trials)
    if not missing:
        return []
    return [
        f"{missing} of {count(planned, 'trial')} did not finish and stand outside every mean; "
        "if they failed because of their condition, the means flatter it."
    ]


def _few_seeds(comparisons: list[Comparison]) -> list[str]:
    pairs = max((c.test.interval.n for c in comparisons), default=0)
    least = min((c.test.smallest_p for c in comparisons if c.test.interval.n), default=1.0)
    if pairs < 2 or least * len(comparisons) <= 0.05:
        return []
    reach = f"p = {p_value(least)}"
    if least <= 0.05:
        corrected = p_value(least * len(comparisons))
        reach += f", {corrected} after Holm's correction for {len(comparisons)} comparisons"
    return [
        f"With {count(pairs, 'pair')} an exact sign-flip test cannot go below {reach}: it cannot "
        "reach 0.05, whatever the difference. The t interval can, if the differences are normal."
    ]


def _many_comparisons(comparisons: list[Comparison]) -> list[str]:
    won = [c for c in comparisons if c.verdict in ("favours", "against") and c.holm_p > 0.05]
    if len(comparisons) < 2 or not won:
        return []
    return [
        f"{count(len(comparisons), 'comparison')} were made on the primary metric, each interval "
        f"at 95 % on its own. Of {count(len(won), 'interval')} that exclude zero, none is backed "
        "by a sign-flip p below 0.05 after Holm's correction."
        if len(won) > 1
        else f"{count(len(comparisons), 'comparison')} were made on the primary metric, each "
        f"interval at 95 % on its own. The one that excludes zero, `{won[0].against}` against "
        f"`{won[0].baseline}`, has no sign-flip p below 0.05 after Holm's correction."
    ]  # fmt: skip


def _unequal(results: StudyResults) -> list[str]:
    done = results.trials[results.trials["state"] == "done"]
    found = []
    if done["evaluation_hash"].nunique() > 1:
        found.append(
            f"Trials were measured on {done['evaluation_hash'].nunique()} different evaluation "
            "sets; compare conditions only where the sets are the same."
        )
    mixed = int(done["code"].astype(str).str.contains("+", regex=False).sum())
    if mixed:
        found.append(
            f"{count(mixed, 'trial')} began under one version of the workbench's code and went on "
            "under another; remove their folders to run them whole."
        )
    if done["code"].nunique() > 1:
        found.append(
            f"Trials come from {done['code'].nunique()} versions of the workbench's code, which "
            "the means do not tell apart; remove the folders of the older to run them again."
        )
    if done["updates"].nunique() > 1 or done["step"].nunique() > 1:
        found.append("Finished trials differ in environment steps or updates.")
    return found


def _followed(results: StudyResults) -> list[str]:
    if set(results.evaluation["source"].dropna()) != {"uniform"}:
        return []
    return [
        "Predictions were followed along random moves only, for no player who looks ahead is to be "
        "had in this world: what agents come to by skill is not among the cases."
    ]


def _evaluated(results: StudyResults) -> list[str]:
    """What was measured afterwards: not of all trials, or by another version of the code."""
    done = results.trials[results.trials["state"] == "done"]
    codes = done["evaluation_code"]
    measured, found = int(codes.map(bool).sum()), []
    if 0 < measured < len(done):
        found.append(
            f"`workbench evaluate` has measured {measured} of {count(len(done), 'finished trial')}:"
            " what it alone measures is a mean over those."
        )
    pairs = zip(codes, done["code"], strict=True)
    stale = sum(bool(set(measuring) - {training}) for measuring, training in pairs)
    if stale:
        found.append(
            f"What was measured afterwards of {count(stale, 'trial')} comes from another version "
            "of the workbench's code than the trial itself; remove the trial's `evaluation` folder "
            "and run `workbench evaluate` to measure it again."
        )
    return found
