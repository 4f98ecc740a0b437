"""The answer in words, made from the statistics and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from analysis.formatting import (
    count,
    decimals,
    describe,
    fixed,
    listed,
    p_value,
    phrase,
    scale,
    unit,
)
from analysis.frames import StudyResults
from analysis.paired_comparisons import Comparison, compare
from analysis.statistics import Verdict, mean_interval
from analysis.study_agreement import by_condition, discordance, predictive_metrics, select
from workbench.metrics import MetricSpec

_LABELS: dict[Verdict, str] = {
    "favours": "favours `{}`",
    "against": "speaks against `{}`",
    "not established": "no difference established",
    "identical": "every seed the same",
    "not enough seeds": "not enough seeds",
}
_STANDING: dict[Verdict, str] = {
    "favours": "worse than it",
    "against": "better than it",
    "not established": "not told apart from it",
    "identical": "at the same distance from it in every seed",
    "not enough seeds": "without enough seeds in common with it",
}


@dataclass(frozen=True)
class Answer:
    """What the study says, sentence by sentence; condition names stand in backticks."""

    headline: str
    verdict: Verdict | None
    """Of the leading comparison; None where there is none."""
    label: str
    """The verdict with the name that it is about."""
    others: tuple[str, ...]
    """The other declared comparisons."""
    agreement: str
    controls: str

    @property
    def text(self) -> str:
        return " ".join(part for part in (self.headline, self.agreement, self.controls) if part)


def answer(results: StudyResults) -> Answer:
    """The first declared comparison leads; the rankings and the other conditions follow."""
    comparisons = compare(results, results.study["primary"])
    if not comparisons:
        return Answer(_description(results), None, "", (), agreement_sentence(results), "")
    lead, *others = comparisons
    return Answer(
        headline=f"{_after(results, lead)} {comparison_sentence(lead)}",
        verdict=lead.verdict,
        label=_LABELS[lead.verdict].format(lead.against),
        others=tuple(_capital(comparison_sentence(other)) for other in others),
        agreement=agreement_sentence(results),
        controls=controls_sentence(results, lead),
    )


def comparison_sentence(comparison: Comparison) -> str:
    """Difference, interval, sign-flip test and verdict of one comparison."""
    a, b, metric = comparison.against, comparison.baseline, comparison.metric
    interval, test = comparison.test.interval, comparison.test
    if interval.n == 0:
        return f"`{a}` and `{b}` have no finished seed in common: nothing can be said."
    if comparison.verdict == "identical":
        same = "the same" if interval.mean == 0 else f"{_gap(comparison)}"
        return (
            f"`{a}` had {same} {phrase(metric)} {'as' if interval.mean == 0 else 'than'} `{b}` in "
            f"every one of {count(interval.n, 'seed')}: the interval is degenerate, and no test "
            "can be made of it."
        )
    start = f"`{a}` had {_gap(comparison)} {phrase(metric)} than `{b}`"
    if comparison.verdict == "not enough seeds":
        return f"{start}; one seed gives no interval and no test: not enough seeds."
    low, high = (
        fixed(scale(metric) * v, _places(comparison)) for v in (interval.low, interval.high)
    )
    return (
        f"{start} (difference {_signed(comparison)}, 95 % paired t interval {low} to {high}; "
        f"sign-flip p = {p_value(test.p)}, smallest attainable {p_value(test.smallest_p)}): "
        f"{_conclusion(comparison)}."
    )


def agreement_sentence(results: StudyResults) -> str:
    """Whether the ranking by the predictive metric is the ranking by the primary one."""
    predictive, primary = (describe(results.study[key]) for key in ("predictive", "primary"))
    if predictive.name not in predictive_metrics(results):
        return f"No finished trial has a {phrase(predictive)}: there are no rankings to compare."
    means = by_condition(results, predictive.name)
    picked, pairs = select(means), discordance(means)
    if picked is None:
        return "The rankings cannot be compared: fewer than two conditions have finished trials."
    if len(means) == 2 and pairs.tied:
        return "The rankings cannot be compared: the two conditions tie on one of the metrics."
    cost = (
        f"picking by {phrase(predictive)} takes `{picked.picked}`"
        + (", the best decider too" if picked.loss == 0 else "")
        + (f" and loses {_amount(picked.loss, primary)} of {phrase(primary)} "
           f"against `{picked.best}`" if picked.loss else "")
    )  # fmt: skip
    if pairs.discordant == 0 and pairs.tied == 0:
        start = "The better predictor is also the better decider, by their means"
    elif len(means) == 2:
        start = "The better predictor is NOT the better decider, by their means"
    else:
        total = pairs.concordant + pairs.discordant + pairs.tied
        start = (
            f"Of {count(total, 'pair')} of conditions, {pairs.discordant} "
            f"{'ranks' if pairs.discordant == 1 else 'rank'} oppositely by "
            f"{phrase(predictive)} and by {phrase(primary)}"
            + (f" and {pairs.tied} tie" if pairs.tied else "")
        )
    return f"{start}: {cost}.{_unsettled(results)}"


def controls_sentence(results: StudyResults, lead: Comparison) -> str:
    """How the leading comparison's winner-to-be stands against the conditions outside it."""
    others = [c for c in results.conditions if c not in (lead.baseline, lead.against)]
    if not others:
        return "There is no control condition that would tell what a difference comes from."
    pairs = [(other, lead.against) for other in others]
    groups: dict[str, list[str]] = {}
    for comparison in compare(results, lead.metric.name, pairs):
        groups.setdefault(_STANDING[comparison.verdict], []).append(f"`{comparison.baseline}`")
    stands = [f"{listed(names)} {'is' if len(names) == 1 else 'are'} {standing}"
              for standing, names in groups.items()]  # fmt: skip
    return (
        f"As for `{lead.against}` and the other conditions, by paired 95 % t intervals: "
        f"{'; '.join(stands)}."
    )


def _after(results: StudyResults, lead: Comparison) -> str:
    rows = results.done[results.done["condition"].isin([lead.baseline, lead.against])]
    if rows.empty:
        return "So far,"
    low, high = rows["step"].min(), rows["step"].max()
    steps = f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"
    return f"After {steps} environment steps and {count(lead.test.interval.n, 'paired seed')},"


def _places(comparison: Comparison) -> int:
    interval = comparison.test.interval
    factor = scale(comparison.metric)
    return decimals([factor * v for v in (interval.mean, interval.low, interval.high)])


def _signed(comparison: Comparison) -> str:
    value = scale(comparison.metric) * comparison.test.interval.mean
    return fixed(value, _places(comparison), sign=True)


def _gap(comparison: Comparison) -> str:
    metric, mean = comparison.metric, comparison.test.interval.mean
    size = fixed(abs(scale(metric) * mean), _places(comparison))
    points = " points" if metric.unit == "share" else ""
    return f"{size}{points} {'lower' if mean < 0 else 'higher'}"


def _amount(value: float, metric: MetricSpec) -> str:
    shown = scale(metric) * value
    points = "points" if metric.unit == "share" else unit(metric)
    return f"{fixed(shown, decimals([shown]))} {points}".strip()


def _conclusion(comparison: Comparison) -> str:
    if comparison.verdict == "not established":
        return "no difference established"
    side = "favours" if comparison.verdict == "favours" else "speaks against"
    if comparison.test.p <= 0.05:
        return f"this {side} `{comparison.against}`"
    return f"the interval {side} `{comparison.against}`, the sign-flip test does not confirm it"


def _unsettled(results: StudyResults) -> str:
    """How much of the order of the conditions' decisions is more than their means."""
    pairs = list(combinations(results.conditions, 2))
    verdicts = [c.verdict for c in compare(results, results.study["primary"], pairs)]
    settled = sum(verdict in ("favours", "against") for verdict in verdicts)
    if settled == len(pairs):
        return ""
    if not settled:
        return " No difference in decisions is established, so that order may be chance."
    return (
        f" Of {count(len(pairs), 'pair')} of conditions, {settled} differ in decisions by a paired "
        "95 % t interval; the order of the others may be chance."
    )


def _description(results: StudyResults) -> str:
    metric = describe(results.study["primary"])
    table = results.by_seed(metric.name) * scale(metric)
    parts = []
    for name in results.conditions:
        found = mean_interval(table[name].to_numpy(float))
        places = decimals([found.mean, found.low, found.high])
        bounds = f" (95 % t interval {fixed(found.low, places)} to {fixed(found.high, places)})"
        parts.append(
            f"`{name}` had {phrase(metric)} {fixed(found.mean, places)}"
            + (bounds if found.n > 1 else f" ({count(found.n, 'seed')}, no interval)")
        )
    return f"The study declares no comparison: {'; '.join(parts)}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
