"""Agreement of two rankings: rank correlation, selection regret, discordant pairs.

Both metrics are oriented so that higher is better: a positive correlation means that models
that predict better also decide better.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics import Floats

MIN_CLUSTERS = 8
"""Smallest number of conditions for a bootstrap over conditions and seeds."""
Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Correlation:
    """A rank correlation with its bootstrap interval; NaN bounds if there is none."""

    spearman: float
    kendall: float
    n: int
    low: float = float("nan")
    high: float = float("nan")
    note: str = ""


@dataclass(frozen=True)
class Agreement:
    """Rank correlation of predictive and decision quality at three levels."""

    pooled: Correlation
    """Over all trials."""
    within: Correlation
    """Over the seeds of each condition, with ranks centred within the condition."""
    between: Correlation
    """Over the means of the conditions."""

    @property
    def alarm(self) -> bool:
        """Whether the levels differ in sign, so the pooled one misleads (Simpson's paradox)."""
        signs = {
            np.sign(level.spearman)
            for level in (self.pooled, self.within, self.between)
            if np.isfinite(level.spearman) and level.spearman != 0
        }
        return len(signs) > 1


@dataclass(frozen=True)
class Selection:
    """Selection regret: loss in the decision metric from picking by the predictive metric."""

    picked: str
    best: str
    loss: float
    """Decision quality of the best minus that of the picked one; never negative."""
    random_loss: float
    """Expected loss of a uniformly random pick, for comparison with `loss`."""


@dataclass(frozen=True)
class PairCounts:
    """Numbers of pairs by whether the better predictor is also the better decider."""

    concordant: int
    discordant: int
    tied: int
    pairs: tuple[tuple[str, str], ...]
    """The discordant pairs: (better predictor, better decider)."""


def quality(values: pd.Series[float], better: Better) -> pd.Series[float]:
    """Return `values` oriented so that higher is better."""
    return values if better == "higher" else -values


def agreement(frame: pd.DataFrame, draws: int = 2_000, seed: int = 0) -> Agreement:
    """Correlate columns `predictive` and `decision`, both higher is better, of the trials.

    Columns `condition` and `seed` name the trial.
    """
    data = frame.dropna(subset=["predictive", "decision"])
    means = data.groupby("condition", sort=False)[["predictive", "decision"]].mean()
    pooled, between = _correlate(data), _correlate(means)
    if len(means) < MIN_CLUSTERS:
        note = f"{len(means)} conditions are too few for an interval ({MIN_CLUSTERS} needed)"
        pooled, between = replace(pooled, note=note), replace(between, note=note)
    else:
        low, high = _crossed_bootstrap(data, False, draws, seed)
        pooled = replace(pooled, low=low, high=high)
        low, high = _crossed_bootstrap(data, True, draws, seed)
        between = replace(between, low=low, high=high)
    return Agreement(pooled, _within(data), between)


def selection(predictive: pd.Series[float], decision: pd.Series[float]) -> Selection | None:
    """Pick the label with the best `predictive`; both series share an index, higher is better.

    If several labels tie in the predictive metric, the loss is the mean over them. Return None
    for fewer than two labels.
    """
    both = _both(predictive, decision)
    if len(both) < 2:
        return None
    losses = both["decision"].max() - both["decision"]
    picked = both.index[both["predictive"] == both["predictive"].max()]
    return Selection(
        picked=" or ".join(map(str, picked)),
        best=str(both["decision"].idxmax()),
        loss=float(losses[picked].mean()),
        random_loss=float(losses.mean()),
    )


def count_pairs(predictive: pd.Series[float], decision: pd.Series[float]) -> PairCounts:
    """Count the pairs of labels that the two series order alike, oppositely, or tie."""
    both = _both(predictive, decision)
    rows = list(both.itertuples(index=True, name=None))
    signs = [np.sign(a[1] - b[1]) * np.sign(a[2] - b[2]) for a, b in combinations(rows, 2)]
    pairs = tuple(
        (str(a[0]), str(b[0])) if a[1] > b[1] else (str(b[0]), str(a[0]))
        for (a, b), sign in zip(combinations(rows, 2), signs, strict=True)
        if sign < 0
    )
    return PairCounts(signs.count(1), len(pairs), signs.count(0), pairs)


def spearman(x: Floats, y: Floats) -> float:
    """Return Spearman's rho; NaN if a side is constant or there are fewer than two points."""
    x, y = _round_to_12_digits(x), _round_to_12_digits(y)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1])


def kendall(x: Floats, y: Floats) -> float:
    """Return Kendall's tau-b; NaN if it is undefined."""
    if len(x) < 2:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        return float(stats.kendalltau(_round_to_12_digits(x), _round_to_12_digits(y)).statistic)


def _both(predictive: pd.Series[float], decision: pd.Series[float]) -> pd.DataFrame:
    """Return the labels for which both series are known."""
    both = pd.DataFrame({"predictive": predictive, "decision": decision}).dropna()
    return both.apply(_round_to_12_digits, raw=True)


def _round_to_12_digits(values: Floats) -> Floats:
    """Round to 12 digits of the maximum, because the order of a sum changes its last bits."""
    maximum = float(np.abs(values).max(initial=0.0))
    if maximum == 0.0:
        return values
    digits = 11 - int(np.floor(np.log10(maximum)))
    rounded: Floats = np.round(values, digits)
    return rounded


def _columns(frame: pd.DataFrame) -> tuple[Floats, Floats]:
    return frame["predictive"].to_numpy(float), frame["decision"].to_numpy(float)


def _correlate(frame: pd.DataFrame) -> Correlation:
    x, y = _columns(frame)
    return Correlation(spearman(x, y), kendall(x, y), len(x))


def _within(data: pd.DataFrame) -> Correlation:
    """Correlate ranks taken and centred within each condition (a stratified Spearman)."""
    groups = [group for _, group in data.groupby("condition", sort=False) if len(group) > 1]
    if not groups:
        note = "fewer than two seeds in every condition"
        return Correlation(float("nan"), float("nan"), 0, note=note)
    ranks = [
        [stats.rankdata(_round_to_12_digits(column)) for column in _columns(group)]
        for group in groups
    ]
    x, y = (np.concatenate([pair[i] - pair[i].mean() for pair in ranks]) for i in (0, 1))
    taus = np.array([kendall(*_columns(group)) for group in groups])
    pairs = np.array([len(group) * (len(group) - 1) / 2 for group in groups])
    known = np.isfinite(taus)
    spread = float(np.sqrt((x @ x) * (y @ y)))
    return Correlation(
        spearman=float(x @ y / spread) if spread else float("nan"),
        kendall=float(np.average(taus[known], weights=pairs[known])) if known.any() else np.nan,
        n=len(x),
        note=""
        if min(map(len, groups)) > 4
        else "fewer than five seeds in a condition: coarse estimate",
    )


def _crossed_bootstrap(
    data: pd.DataFrame, use_means: bool, draws: int, seed: int
) -> tuple[float, float]:
    """Percentile interval of Spearman's rho, resampling conditions and seeds independently.

    Conditions share their seeds, so a drawn seed is drawn for all conditions at once: the crossed
    or pigeonhole bootstrap (Owen 2007, doi:10.1214/07-AOAS122). With `use_means`, the means of the
    drawn conditions over the drawn seeds are correlated instead of all trials.
    """
    generator = np.random.default_rng(seed)
    values = np.stack(
        [
            data.pivot(index="condition", columns="seed", values=name).to_numpy(float)
            for name in ("predictive", "decision")
        ],
        axis=-1,
    )  # [conditions, seeds, 2], NaN for missing trials
    conditions, seeds, _ = values.shape
    condition = generator.integers(conditions, size=(draws, conditions, 1))
    points = values[condition, generator.integers(seeds, size=(draws, 1, seeds))]
    valid = np.isfinite(points).all(-1)
    points = np.where(valid[..., None], points, 0.0)
    if use_means:
        counts = valid.sum(2)
        points, valid = points.sum(2) / np.maximum(counts, 1)[..., None], counts > 0
    points, valid = points.reshape(draws, -1, 2), valid.reshape(draws, -1)
    rho = _spearman_by_row(points[..., 0], points[..., 1], valid)
    if not np.isfinite(rho).any():
        return float("nan"), float("nan")
    low, high = np.nanquantile(rho, [0.025, 0.975])
    return float(low), float(high)


def _spearman_by_row(x: Floats, y: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Return `spearman` of the valid points in each row [draws, points], for all draws at once.

    Invalid points take the last ranks, which leaves the ranks of the others unchanged.
    """
    ranks = [
        stats.rankdata(np.where(valid, _round_to_12_digits(side), np.inf), axis=1) * valid
        for side in (x, y)
    ]
    count = np.maximum(valid.sum(1, keepdims=True), 1)
    x, y = ((rank - rank.sum(1, keepdims=True) / count) * valid for rank in ranks)
    spread = np.sqrt((x * x).sum(1) * (y * y).sum(1))
    products = (x * y).sum(1)
    found: Floats = np.divide(products, spread, out=np.full(len(x), np.nan), where=spread > 0)
    return found
