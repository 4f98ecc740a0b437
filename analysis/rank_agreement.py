"""Do the models that predict better also decide better? Rank correlation, selection, discord.

Both metrics are turned so that higher is better: a positive correlation means agreement.
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

FEWEST_CLUSTERS = 8
"""Conditions below which a cluster bootstrap is not worth the name."""
Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Correlation:
    """One rank correlation with its cluster-bootstrap interval, if there can be one."""

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
    """Over the seeds of each condition, condition means taken out."""
    between: Correlation
    """Over the conditions' means."""

    @property
    def alarm(self) -> bool:
        """The levels disagree in sign: the pooled number misleads (Simpson's paradox)."""
        signs = {
            np.sign(level.spearman)
            for level in (self.pooled, self.within, self.between)
            if np.isfinite(level.spearman) and level.spearman != 0
        }
        return len(signs) > 1


@dataclass(frozen=True)
class Selection:
    """What picking by the predictive metric costs in the decision metric (never below 0)."""

    picked: str
    best: str
    loss: float
    by_chance: float
    """The mean loss of picking at random: the level to compare `loss` with."""


@dataclass(frozen=True)
class Discord:
    """Pairs counted by whether the better predictor is the better decider."""

    concordant: int
    discordant: int
    tied: int
    pairs: tuple[tuple[str, str], ...]
    """The discordant ones: (better predictor, better decider)."""


def quality(values: pd.Series[float], better: Better) -> pd.Series[float]:
    """Turned so that higher is better."""
    return values if better == "higher" else -values


def agreement(frame: pd.DataFrame, draws: int = 2_000, seed: int = 0) -> Agreement:
    """Correlate columns `predictive` and `decision` (both higher is better) by `condition`."""
    data = frame.dropna(subset=["predictive", "decision"])
    means = data.groupby("condition", sort=False)[["predictive", "decision"]].mean()
    pooled, between = _correlate(data), _correlate(means)
    if len(means) < FEWEST_CLUSTERS:
        note = f"{len(means)} conditions: too few for an interval ({FEWEST_CLUSTERS} needed)"
        pooled, between = replace(pooled, note=note), replace(between, note=note)
    else:
        low, high = _cluster_bootstrap(data, False, draws, seed)
        pooled = replace(pooled, low=low, high=high)
        low, high = _cluster_bootstrap(data, True, draws, seed)
        between = replace(between, low=low, high=high)
    return Agreement(pooled, _within(data), between)


def selection(predictive: pd.Series[float], decision: pd.Series[float]) -> Selection | None:
    """Pick the label with the best `predictive`; both series higher is better, same index.

    Ties of the predictive metric are picked from at random: the loss is their mean.
    """
    both = _both(predictive, decision)
    if len(both) < 2:
        return None
    lost = both["decision"].max() - both["decision"]
    picked = both.index[both["predictive"] == both["predictive"].max()]
    return Selection(
        picked=" or ".join(map(str, picked)),
        best=str(both["decision"].idxmax()),
        loss=float(lost[picked].mean()),
        by_chance=float(lost.mean()),
    )


def discord(predictive: pd.Series[float], decision: pd.Series[float]) -> Discord:
    """Count pairs of labels in which the better predictor decides better, worse, or a tie."""
    both = _both(predictive, decision)
    rows = list(both.itertuples(index=True, name=None))
    signs = [np.sign(a[1] - b[1]) * np.sign(a[2] - b[2]) for a, b in combinations(rows, 2)]
    pairs = tuple(
        (str(a[0]), str(b[0])) if a[1] > b[1] else (str(b[0]), str(a[0]))
        for (a, b), sign in zip(combinations(rows, 2), signs, strict=True)
        if sign < 0
    )
    return Discord(signs.count(1), len(pairs), signs.count(0), pairs)


def spearman(x: Floats, y: Floats) -> float:
    """NaN where either side is constant or there are fewer than two points."""
    x, y = _settled(x), _settled(y)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1])


def kendall(x: Floats, y: Floats) -> float:
    """Kendall's tau-b; NaN where it is not defined."""
    if len(x) < 2:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        return float(stats.kendalltau(_settled(x), _settled(y)).statistic)


def _both(predictive: pd.Series[float], decision: pd.Series[float]) -> pd.DataFrame:
    """Where both are known."""
    both = pd.DataFrame({"predictive": predictive, "decision": decision}).dropna()
    return both.apply(_settled, raw=True)


def _settled(values: Floats) -> Floats:
    """To twelve digits of the greatest: the same seeds in another order have another last bit."""
    greatest = float(np.abs(values).max(initial=0.0))
    if greatest == 0.0:
        return values
    digits = 11 - int(np.floor(np.log10(greatest)))
    rounded: Floats = np.round(values, digits)
    return rounded


def _columns(frame: pd.DataFrame) -> tuple[Floats, Floats]:
    return frame["predictive"].to_numpy(float), frame["decision"].to_numpy(float)


def _correlate(frame: pd.DataFrame) -> Correlation:
    x, y = _columns(frame)
    return Correlation(spearman(x, y), kendall(x, y), len(x))


def _within(data: pd.DataFrame) -> Correlation:
    """Correlation of ranks taken and centred inside each condition (a stratified Spearman)."""
    groups = [group for _, group in data.groupby("condition", sort=False) if len(group) > 1]
    if not groups:
        note = "fewer than two seeds in every condition"
        return Correlation(float("nan"), float("nan"), 0, note=note)
    ranks = [[stats.rankdata(_settled(column)) for column in _columns(group)] for group in groups]
    x, y = (np.concatenate([pair[i] - pair[i].mean() for pair in ranks]) for i in (0, 1))
    taus = np.array([kendall(*_columns(group)) for group in groups])
    pairs = np.array([len(group) * (len(group) - 1) / 2 for group in groups])
    known = np.isfinite(taus)
    spread = float(np.sqrt((x @ x) * (y @ y)))
    return Correlation(
        spearman=float(x @ y / spread) if spread else float("nan"),
        kendall=float(np.average(taus[known], weights=pairs[known])) if known.any() else np.nan,
        n=len(x),
        note="" if min(map(len, groups)) > 4 else "few seeds in a condition: a coarse number",
    )


def _cluster_bootstrap(
    data: pd.DataFrame, of_means: bool, draws: int, seed: int
) -> tuple[float, float]:
    """Percentile interval of Spearman: conditions drawn with replacement, then their seeds."""
    generator = np.random.default_rng(seed)
    groups = [
        group[["predictive", "decision"]].to_numpy(float)
        for _, group in data.groupby("condition", sort=False)
    ]
    sizes = np.array([len(group) for group in groups])
    held = np.zeros((len(groups), sizes.max(), 2))
    for rows, group in zip(held, groups, strict=True):
        rows[: len(group)] = group
    drawn = generator.integers(len(groups), size=(draws, len(groups), 1))
    row = generator.integers(sizes[drawn], size=(draws, len(groups), sizes.max()))
    points = held[drawn, row]  # [draws, groups, seeds, 2]
    there = np.arange(sizes.max()) < sizes[drawn]
    if of_means:
        points = (points * there[..., None]).sum(2) / sizes[drawn]
        there = np.ones(points.shape[:2], bool)
    points, there = points.reshape(draws, -1, 2), there.reshape(draws, -1)
    values = _spearman_of_each(points[..., 0], points[..., 1], there)
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)


def _spearman_of_each(x: Floats, y: Floats, there: NDArray[np.bool_]) -> Floats:
    """`spearman` of every row [draws, points] of what is there: all draws at once.

    What is not there takes the last ranks, which changes none of the others.
    """
    ranks = [
        stats.rankdata(np.where(there, _settled(side), np.inf), axis=1) * there for side in (x, y)
    ]
    count = there.sum(1, keepdims=True)
    x, y = ((rank - rank.sum(1, keepdims=True) / count) * there for rank in ranks)
    spread = np.sqrt((x * x).sum(1) * (y * y).sum(1))
    products = (x * y).sum(1)
    found: Floats = np.divide(products, spread, out=np.full(len(x), np.nan), where=spread > 0)
    return found
