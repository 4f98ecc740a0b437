"""Rank correlation against scipy; Simpson's paradox, selection regret and pair counts by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.rank_agreement import (
    MIN_CLUSTERS,
    PairCounts,
    agreement,
    count_pairs,
    kendall,
    selection,
    spearman,
)


def frame(groups: dict[str, list[tuple[float, float]]]) -> pd.DataFrame:
    """Trials by condition; the position of a point is its seed."""
    rows = [(name, seed, *at) for name, points in groups.items() for seed, at in enumerate(points)]
    return pd.DataFrame(rows, columns=["condition", "seed", "predictive", "decision"])


def test_rank_correlations_equal_scipy() -> None:
    generator = np.random.default_rng(1)
    x = generator.integers(0, 6, 40).astype(float)
    y = x + generator.normal(0, 2, 40)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert kendall(x, y) == pytest.approx(stats.kendalltau(x, y).statistic)


def test_correlation_with_a_constant_is_nan() -> None:
    assert np.isnan(spearman(np.ones(4), np.arange(4.0)))
    assert np.isnan(kendall(np.ones(4), np.arange(4.0)))


def test_simpsons_paradox_with_two_conditions_raises_the_alarm() -> None:
    """Within each condition the better predictor decides worse; between conditions, better."""
    found = agreement(frame({"a": [(1, 3), (2, 2), (3, 1)], "b": [(11, 13), (12, 12), (13, 11)]}))
    assert found.within.spearman == pytest.approx(-1.0)
    assert found.within.kendall == pytest.approx(-1.0)
    assert found.between.spearman == pytest.approx(1.0)
    assert found.pooled.spearman > 0
    assert found.alarm
    assert "too few" in found.between.note
    assert np.isnan(found.between.low)


def test_no_alarm_if_all_levels_agree_in_sign() -> None:
    found = agreement(frame({"a": [(1, 1), (2, 2)], "b": [(3, 3), (4, 4), (np.nan, 9)]}))
    assert not found.alarm
    assert found.within.spearman == pytest.approx(1.0)
    assert found.within.kendall == pytest.approx(1.0)
    assert (found.pooled.n, found.within.n) == (4, 4)
    assert found.pooled.spearman == pytest.approx(1.0)


def test_condition_with_identical_seeds_does_not_affect_within_correlation() -> None:
    found = agreement(frame({"a": [(1, 1), (2, 2), (3, 3)], "b": [(5, 7), (5, 7)]}))
    assert found.within.kendall == pytest.approx(1.0)
    assert found.within.spearman == pytest.approx(1.0)
    identical = agreement(frame({"a": [(1, 1), (1, 1)], "b": [(5, 7), (5, 7)]}))
    assert np.isnan([identical.within.kendall, identical.within.spearman]).all()


def test_bootstrap_covers_a_strong_correlation_and_is_reproducible() -> None:
    generator = np.random.default_rng(5)
    groups = {
        str(c): [(c + generator.normal(), c + generator.normal()) for _ in range(4)]
        for c in range(MIN_CLUSTERS + 2)
    }
    found, again = (agreement(frame(groups), draws=300) for _ in range(2))
    assert found.pooled.low < found.pooled.spearman < found.pooled.high
    assert found.between.low > 0.5
    assert found == again


def test_crossed_bootstrap_equals_loop_with_missing_trials() -> None:
    generator = np.random.default_rng(6)
    seeds = [4, 4, 4, 1, 4, 3, 4, 4, 2]
    groups = [np.round(generator.normal(c / 3, 1.0, size=(n, 2)), 1) for c, n in enumerate(seeds)]
    rows = {str(c): [*map(tuple, group)] for c, group in enumerate(groups)}
    found = agreement(frame(rows), draws=20_000)
    pooled, between = [], []
    for _ in range(4_000):
        shared = generator.integers(4, size=4)
        drawn = [groups[i] for i in generator.integers(len(groups), size=len(groups))]
        again = [group[[seed for seed in shared if seed < len(group)]] for group in drawn]
        means = np.array([one.mean(0) for one in again if len(one)])
        pooled.append(stats.spearmanr(*np.vstack(again).T).statistic)
        between.append(stats.spearmanr(*means.T).statistic)
    for one, values in ((found.pooled, pooled), (found.between, between)):
        expected = np.nanquantile(values, [0.025, 0.975])
        assert [one.low, one.high] == pytest.approx(expected, abs=0.05)


def test_effect_of_a_shared_seed_does_not_hide_the_ranking_of_the_conditions() -> None:
    """A seed that is good for all conditions moves all means alike; their ranking stays."""
    groups = {f"c{c}": [(0.1 * c + s, s - 0.1 * c) for s in (-1.0, 1.0)] for c in range(8)}
    between = agreement(frame(groups)).between
    assert between.spearman == pytest.approx(-1.0)
    assert (between.low, between.high) == pytest.approx((-1.0, -1.0))


def test_interval_contains_the_estimate_between_conditions() -> None:
    for number in range(40):
        generator = np.random.default_rng(number)
        noise = generator.choice([0.1, 1.0, 5.0])
        seed_effect = generator.normal(size=(3, 2)) * 3
        slope = generator.normal()
        groups = {
            str(c): [(c + noise * generator.normal() + seed_effect[s, 0],
                      slope * c + noise * generator.normal() + seed_effect[s, 1])
                     for s in range(3)]
            for c in range(8)
        }  # fmt: skip
        between = agreement(frame(groups), draws=500).between
        assert between.low - 1e-9 <= between.spearman <= between.high + 1e-9, number


def test_selection_needs_two_labels() -> None:
    predictive, decision = pd.Series([0.2, 0.1], ["a", "b"]), pd.Series([0.5, 0.9], ["a", "b"])
    found = selection(predictive, decision)
    assert found is not None
    assert (found.picked, found.best) == ("a", "b")
    assert (found.loss, found.random_loss) == pytest.approx((0.4, 0.2))
    assert selection(predictive[:1], decision[:1]) is None


def test_selection_regret_by_hand() -> None:
    """Prediction picks b at 0.7, the best is a at 0.9: regret 0.2; a random pick loses 0.3."""
    names = ["a", "b", "c"]
    found = selection(
        pd.Series([0.5, 0.8, 0.1], index=names), pd.Series([0.9, 0.7, 0.2], index=names)
    )
    assert found is not None
    assert (found.picked, found.best) == ("b", "a")
    assert found.loss == pytest.approx(0.2)
    assert found.random_loss == pytest.approx((0.0 + 0.2 + 0.7) / 3)


def test_selection_averages_the_loss_over_ties() -> None:
    names = ["a", "b", "c"]
    tied = selection(pd.Series([1.0, 1.0, 0.0], index=names), pd.Series([3.0, 1.0, 9.0], names))
    assert tied is not None
    assert tied.picked == "a or b"
    assert tied.loss == pytest.approx((6 + 8) / 2)
    assert selection(pd.Series([1.0], ["a"]), pd.Series([1.0], ["a"])) is None


def test_means_that_differ_in_rounding_only_are_tied() -> None:
    seeds = [0.9, 0.7, 0.1, 0.3, 0.6]
    means = [float(np.mean(np.array(order))) for order in (seeds, sorted(seeds), seeds[::-1])]
    assert len(set(means)) > 1  # the summation order changes the last bit
    index = ["a", "b", "c"]
    predictive, decision = pd.Series([3.0, 2.0, 1.0], index), pd.Series(means, index)
    assert count_pairs(predictive, decision) == PairCounts(0, 0, 3, ())
    found = selection(predictive, decision)
    assert found is not None
    assert found.loss == found.random_loss == 0.0
    assert np.isnan(spearman(np.arange(3.0), np.array(means)))
    assert np.isnan(kendall(np.arange(3.0), np.array(means)))


def test_pair_counts_by_hand() -> None:
    names = ["a", "b", "c", "d"]
    found = count_pairs(
        pd.Series([1.0, 2.0, 3.0, 3.0], index=names), pd.Series([2.0, 1.0, 3.0, 0.0], index=names)
    )
    # discordant: a-b, a-d, b-d; concordant: a-c, b-c; c-d ties in prediction
    assert (found.concordant, found.discordant, found.tied) == (2, 3, 1)
    assert set(found.pairs) == {("b", "a"), ("d", "a"), ("d", "b")}
