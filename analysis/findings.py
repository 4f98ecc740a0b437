"""Findings of a study: at most three sentences, and a table of the numbers behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from analysis.formatting import (
    MISSING,
    count,
    decimal_places,
    difference_unit,
    display_factor,
    display_unit,
    format_bounds,
    format_number,
    format_p,
    join_names,
    resolve_metric,
    shared_places,
    title_in_sentence,
)
from analysis.frames import StudyResults
from analysis.paired_comparisons import Comparison, compare, difference_places
from analysis.statistics import Verdict, mean_interval
from analysis.study_agreement import (
    BETWEEN,
    by_condition,
    condition_pairs,
    correlation_frame,
    predictive_metrics,
    select,
)
from analysis.table_format import Table
from workbench.metrics import MetricSpec

CONCLUSION = "conclusion"
"""Column of the findings table that holds a sentence."""
MAX_NAMES = 3
"""Largest number of conditions that a sentence names; more are counted."""
_LABELS: dict[Verdict, str] = {
    "favours": "favours `{}`",
    "against": "speaks against `{}`",
    "not established": "no difference established",
    "constant difference": "same difference in every seed, not confirmed",
    "identical": "same values in every seed",
    "not enough seeds": "not enough seeds",
}
_STANDINGS: dict[Verdict, str] = {
    "favours": "better than {}",
    "against": "worse than {}",
    "not established": "not distinguishable from {}",
    "constant difference": "different from {} by the same amount in every seed, not confirmed,",
    "identical": "identical to {} in every seed",
    "not enough seeds": "not comparable with {} (too few common seeds)",
}


@dataclass(frozen=True)
class Findings:
    """Findings in at most three sentences without numbers; condition names are in backticks.

    The numbers are in `findings_table`.
    """

    headline: str
    """Verdict of the first declared comparison."""
    verdict: Verdict | None
    """The same verdict as a category; None if the study declares no comparison."""
    label: str
    """The verdict with the name of the condition; empty if there is none."""
    agreement: str
    """Whether picking by the predictive metric selects the best decider."""
    controls: str
    """Standing of the leading condition against the other conditions; may be empty."""

    @property
    def text(self) -> str:
        """The sentences as one paragraph."""
        return " ".join(part for part in (self.headline, self.agreement, self.controls) if part)


def derive_findings(results: StudyResults) -> Findings:
    """Derive the findings from the statistics; the first declared comparison leads."""
    agreement = agreement_sentence(results)
    comparisons = compare(results, results.study["primary"])
    if not comparisons:
        headline = "The study declares no comparison, so no difference is tested."
        return Findings(headline, None, "", agreement, "")
    lead = comparisons[0]
    return Findings(
        headline=comparison_sentence(lead),
        verdict=lead.verdict,
        label=_LABELS[lead.verdict].format(lead.against),
        agreement=agreement,
        controls=controls_sentence(results, lead),
    )


def findings_table(results: StudyResults) -> Table:
    """Return the numbers behind the findings.

    Rows: declared comparisons, or the means of the conditions if there is none; the leading
    condition against the controls; agreement of predictive and decision quality.
    """
    metric = resolve_metric(results.study["primary"])
    comparisons = compare(results, metric.name)
    if comparisons:
        lead = comparisons[0]
        declared = {(c.baseline, c.against) for c in comparisons}
        controls = [c for c in _controls(results, lead) if (c.baseline, c.against) not in declared]
        places = difference_places([*comparisons, *controls])
        rows = [_comparison_row(c, c.label, places) for c in comparisons]
        rows += [_comparison_row(c, f"{c.label} (control)", places) for c in controls]
        subject = f"differences in {title_in_sentence(metric)}"
        steps = _steps(results, [lead.baseline, lead.against])
    else:
        rows = _condition_rows(results, metric)
        subject, steps = f"mean {title_in_sentence(metric)}", _steps(results, results.conditions)
    cells = pd.DataFrame([*rows, *_agreement_rows(results, metric)])
    title = f"Numbers behind the findings: {subject}{steps}"
    return Table(title, cells.set_index("quantity").fillna(MISSING))


def comparison_sentence(comparison: Comparison) -> str:
    """Return the verdict of one comparison as a sentence without numbers."""
    a, b = f"`{comparison.against}`", f"`{comparison.baseline}`"
    metric, interval = title_in_sentence(comparison.metric), comparison.test.interval
    if interval.n == 0:
        return f"{a} and {b} have no finished seed in common, so they cannot be compared."
    if interval.n == 1:
        return f"There are not enough seeds to compare {metric} of {a} and {b}."
    if comparison.verdict == "identical":
        return f"{a} and {b} have the same {metric} in every seed."
    if comparison.verdict == "constant difference":
        order = "lower" if interval.mean < 0 else "higher"
        return (
            f"{a} has {order} {metric} than {b} by the same amount in every seed, but the "
            "sign-flip test does not confirm it."
        )
    if comparison.verdict == "not established":
        return f"No difference in {metric} between {a} and {b} is established."
    if comparison.test.p <= 0.05:
        return f"{a} has {'lower' if interval.mean < 0 else 'higher'} {metric} than {b}."
    better, worse = (a, b) if comparison.verdict == "favours" else (b, a)
    return (
        f"The interval for {metric} favours {better} over {worse}, but the sign-flip test does not "
        "confirm it."
    )


def agreement_sentence(results: StudyResults) -> str:
    """Return whether picking by the predictive metric selects the best decider, by the means."""
    predictive = resolve_metric(results.study["predictive"])
    if predictive.name not in predictive_metrics(results):
        metric = title_in_sentence(predictive)
        return f"No finished trial has a {metric}: there are no rankings to compare."
    means = by_condition(results, predictive.name)
    picked, pairs = select(means), condition_pairs(means)
    if picked is None:
        return "The rankings cannot be compared: fewer than two conditions have finished trials."
    if len(means) == 2 and pairs.tied:
        return "The rankings cannot be compared: the two conditions tie on one of the metrics."
    doubt = _doubt(results)
    if pairs.discordant == 0 and pairs.tied == 0:
        return f"On average, the better predictor is also the better decider{doubt}."
    rank = "better" if len(means) == 2 else "best"
    if picked.loss > 0 and picked.best in picked.picked.split(" or "):
        return (
            f"On average, the best predictors tie (`{picked.picked}`) and not all decide best"
            f"{doubt}."
        )
    if picked.loss > 0:
        return (
            f"On average, the {rank} predictor (`{picked.picked}`) is NOT the {rank} decider "
            f"(`{picked.best}`){doubt}."
        )
    others = ", but other conditions rank oppositely" if pairs.discordant else ""
    return (
        f"On average, the {rank} predictor (`{picked.picked}`) is also the {rank} decider{others}"
        f"{doubt}."
    )


def controls_sentence(results: StudyResults, lead: Comparison) -> str:
    """Return how the leading condition compares with the conditions outside its comparison."""
    controls = _controls(results, lead)
    if not controls:
        return "There is no control condition to show the cause of a difference."
    groups: dict[Verdict, list[str]] = {}
    for comparison in controls:
        groups.setdefault(comparison.verdict, []).append(comparison.baseline)
    standings = [_STANDINGS[verdict].format(_names(names)) for verdict, names in groups.items()]
    return f"`{lead.against}` is {join_names(standings)} by paired 95 % t intervals."


def _controls(results: StudyResults, lead: Comparison) -> list[Comparison]:
    """Compare the leading condition with every condition outside the leading comparison."""
    others = [name for name in results.conditions if name not in (lead.baseline, lead.against)]
    return compare(results, lead.metric.name, [(other, lead.against) for other in others])


def _names(names: list[str]) -> str:
    if len(names) > MAX_NAMES:
        return f"{len(names)} other conditions"
    return join_names([f"`{name}`" for name in names])


def _side(comparison: Comparison) -> str:
    return "favours" if comparison.verdict == "favours" else "speaks against"


def _doubt(results: StudyResults) -> str:
    """Return a clause on how far the order of the conditions' decisions is established."""
    established, pairs = _established(results)
    if established == pairs:
        return ""
    if not established:
        return "; no difference in decisions is established, so this may be due to chance"
    return "; only some differences in decisions are established"


def _established(results: StudyResults) -> tuple[int, int]:
    """Return how many pairs of conditions differ by a paired interval, and the number of pairs."""
    pairs = list(combinations(results.conditions, 2))
    verdicts = [c.verdict for c in compare(results, results.study["primary"], pairs)]
    return sum(verdict in ("favours", "against") for verdict in verdicts), len(pairs)


def _steps(results: StudyResults, conditions: list[str]) -> str:
    """Return the range of environment steps that finished trials of the conditions reached."""
    steps = results.done.loc[results.done["condition"].isin(conditions), "step"]
    if steps.empty:
        return ""
    low, high = steps.min(), steps.max()
    reached = f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"
    return f", after {reached} environment steps"


def _comparison_row(comparison: Comparison, quantity: str, places: int) -> dict[str, str]:
    metric, test = comparison.metric, comparison.test
    factor = display_factor(metric)
    mean, low, high = (
        factor * v for v in (test.interval.mean, test.interval.low, test.interval.high)
    )
    return {
        "quantity": quantity,
        "estimate": _with_unit(mean, places, difference_unit(metric), sign=True),
        "95 % interval": MISSING if low == high else format_bounds(low, high, places),
        "sign-flip p": format_p(test.p),
        "smallest possible p": format_p(test.smallest_p),
        "n": count(test.interval.n, "paired seed"),
        CONCLUSION: _conclusion(comparison),
    }


def _conclusion(comparison: Comparison) -> str:
    """Return the verdict of a comparison for the findings table."""
    if comparison.verdict == "not enough seeds":
        return "not enough seeds: no interval and no test"
    if comparison.verdict == "identical":
        return "same values in every seed"
    if comparison.verdict == "constant difference":
        return (
            "same difference in every seed, so there is no interval; the sign-flip test does not "
            "confirm it"
        )
    if comparison.verdict == "not established":
        return "no difference established"
    if comparison.test.p <= 0.05:
        return f"{_side(comparison)} {comparison.against}"
    return (
        f"the interval {_side(comparison)} {comparison.against}, "
        "the sign-flip test does not confirm it"
    )


def _condition_rows(results: StudyResults, metric: MetricSpec) -> list[dict[str, str]]:
    """Return the mean of each condition, with the same number of decimals."""
    table = results.by_seed(metric.name) * display_factor(metric)
    found = {name: mean_interval(table[name].to_numpy(float)) for name in results.conditions}
    places = shared_places(
        [one.mean for one in found.values()], [one.half_width for one in found.values()]
    )
    return [
        {
            "quantity": f"mean of {name}",
            "estimate": _with_unit(one.mean, places, display_unit(metric)),
            "95 % interval": format_bounds(one.low, one.high, places),
            "n": count(one.n, "seed"),
            CONCLUSION: one.note or MISSING,
        }
        for name, one in found.items()
    ]


def _agreement_rows(results: StudyResults, primary: MetricSpec) -> Iterator[dict[str, str]]:
    """Yield rank correlation, pair counts and selection regret, if rankings exist."""
    predictive = resolve_metric(results.study["predictive"])
    if predictive.name not in predictive_metrics(results):
        return
    means = by_condition(results, predictive.name)
    picked, pairs = select(means), condition_pairs(means)
    if picked is None:
        return
    yield _correlation_row(results, predictive)
    yield {
        "quantity": "pairs of conditions ranked oppositely by the two metrics",
        "estimate": str(pairs.discordant),
        "n": count(pairs.concordant + pairs.discordant + pairs.tied, "pair"),
        CONCLUSION: f"{pairs.tied} tied" if pairs.tied else MISSING,
    }
    established, total = _established(results)
    rest = "by paired 95 % intervals"
    if established < total:
        rest += "; the order of the others may be due to chance"
    yield {
        "quantity": "pairs of conditions with an established difference in decisions",
        "estimate": str(established),
        "n": count(total, "pair"),
        CONCLUSION: rest,
    }
    loss, random_loss = (display_factor(primary) * v for v in (picked.loss, picked.random_loss))
    places = decimal_places([loss, random_loss])
    best = "the best decider" if picked.loss == 0 else f"while the best decider is {picked.best}"
    yield {
        "quantity": f"selection regret of picking by {title_in_sentence(predictive)}",
        "estimate": _with_unit(loss, places, difference_unit(primary)),
        "n": count(len(means), "condition"),
        CONCLUSION: f"selects {picked.picked}, {best}; a random pick loses "
        f"{format_number(random_loss, places)} on average",
    }


def _correlation_row(results: StudyResults, predictive: MetricSpec) -> dict[str, str]:
    frame = correlation_frame(results)
    wanted = (frame["predictive"] == predictive.name) & (frame["level"] == BETWEEN)
    (row,) = frame[wanted].to_dict("records")
    rho, low, high = (float(row[key]) for key in ("spearman", "low", "high"))
    notes = [_meaning(rho), "the interval includes 0" if low <= 0 <= high else "", str(row["note"])]
    return {
        "quantity": "rank correlation of the condition means (Spearman ρ)",
        "estimate": format_number(rho, 2, sign=True),
        "95 % interval": format_bounds(low, high, 2),
        "n": count(int(row["n"]), "condition"),
        CONCLUSION: "; ".join(note for note in notes if note),
    }


def _meaning(rho: float) -> str:
    if rho != rho:
        return "undefined"
    if rho == 0:
        return "zero"
    if rho > 0:
        return "positive: better predictors decide better"
    return "negative: better predictors decide worse"


def _with_unit(value: float, places: int, unit: str, sign: bool = False) -> str:
    text = format_number(value, places, sign=sign)
    return text if text == MISSING else f"{text} {unit}".strip()
