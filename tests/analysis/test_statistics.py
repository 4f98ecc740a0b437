"""Statistics against scipy, brute force and hand calculations."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics import (
    effect_size,
    holm,
    mean_interval,
    paired_test,
    sign_flip_p,
    smallest_p,
    verdict,
)

VALUES = st.lists(
    st.floats(-1e3, 1e3).map(lambda value: round(value, 3)), min_size=2, max_size=12, unique=True
)


@given(VALUES)
def test_t_interval_equals_scipy(values: list[float]) -> None:
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = mean_interval(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_t_interval_by_hand() -> None:
    """1, 2, 3: mean 2, standard error 1/sqrt(3), t(0.975; 2) = 4.30265."""
    found = mean_interval([1.0, 2.0, np.nan, 3.0])
    assert found.n == 3
    assert found.half_width == pytest.approx(4.30265 / np.sqrt(3), rel=1e-5)


def test_fewer_than_two_values_give_no_interval() -> None:
    one, none = mean_interval([0.7]), mean_interval([np.nan])
    assert one.mean == 0.7
    assert np.isnan([one.low, one.high, none.mean, none.low]).all()
    assert "one seed" in one.note
    for pairs in ([0.7], [np.nan]):
        assert verdict(paired_test([0.0], pairs), "lower") == "not enough seeds"


def test_identical_values_give_a_degenerate_interval() -> None:
    found = mean_interval([0.1 + 0.2, 0.3, 0.3])
    assert found.low == found.high == pytest.approx(0.3)
    assert "degenerate" in found.note


def test_constant_difference_is_tested_by_sign_flips() -> None:
    """The difference is 0.3 in every seed: p is 2 / 2^n."""
    for seeds, p, expected in ((2, 0.5, "constant difference"), (6, 0.03125, "against")):
        test = paired_test([0.2] * seeds, [0.5] * seeds)
        assert test.p == p
        assert verdict(test, "lower") == expected
    assert verdict(paired_test([0.2, 0.3], [0.2, 0.3]), "lower") == "identical"


def test_paired_t_interval_has_nominal_coverage_at_three_seeds() -> None:
    """With 3,000 draws the standard error of a coverage of 0.95 is 0.004."""
    generator = np.random.default_rng(7)
    hits, runs = 0, 3_000
    for _ in range(runs):
        seed_effect = generator.normal(0, 10, 3)
        baseline = seed_effect + generator.normal(0, 1, 3)
        found = paired_test(baseline, seed_effect + 0.5 + generator.normal(0, 1, 3)).interval
        hits += found.low <= 0.5 <= found.high
    assert hits / runs == pytest.approx(0.95, abs=0.016)


def test_incomplete_pairs_are_dropped() -> None:
    test = paired_test([1.0, np.nan, 3.0, 4.0], [2.0, 5.0, np.nan, 6.0])
    assert list(test.differences) == [1.0, 2.0]
    assert test.smallest_p == 0.5


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=8))
def test_sign_flip_equals_enumeration(differences: list[int]) -> None:
    """Integers make ties exact, so brute force needs no tolerance."""
    observed = abs(sum(differences))
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    assert sign_flip_p(differences) == sum(total >= observed for total in sums) / len(sums)


def test_sign_flip_equals_scipy_permutation_test() -> None:
    differences = np.random.default_rng(3).normal(0.4, 1.0, 9)
    expected = stats.permutation_test(
        (differences, np.zeros(9)),
        lambda a, b: float(np.mean(a - b)),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert sign_flip_p(differences) == pytest.approx(expected.pvalue)


def test_monte_carlo_sign_flip_is_near_the_exact_value_and_reproducible() -> None:
    differences = np.concatenate([np.full(20, 1.0), np.full(10, -1.0)])
    exact = 2 * stats.binom.sf(19, 30, 0.5)
    assert sign_flip_p(differences) == pytest.approx(exact, abs=0.004)
    assert sign_flip_p(differences) == sign_flip_p(differences)


def test_smallest_attainable_p() -> None:
    smallest = [smallest_p(np.arange(1, n + 1)) for n in (1, 3, 5, 6, 8)]
    assert smallest == [1.0, 0.25, 0.0625, 0.03125, 0.0078125]
    assert sign_flip_p([0.5, 0.6, 0.7]) == 0.25
    assert np.isnan(smallest_p([]))
    assert np.isnan(sign_flip_p([]))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=7))
def test_smallest_p_is_attained_by_some_signs(differences: list[int]) -> None:
    """Pairs without a difference do not count."""
    sizes = [abs(value) for value in differences]
    flips = product((1, -1), repeat=len(sizes))
    attained = [sign_flip_p([s * v for s, v in zip(signs, sizes, strict=True)]) for signs in flips]
    assert smallest_p(differences) == min(attained)


def test_monte_carlo_p_has_a_lower_bound() -> None:
    differences = np.linspace(1.0, 2.0, 30)
    assert smallest_p(differences) == sign_flip_p(differences) == 1 / 100_001


def test_holm_by_hand() -> None:
    """Sorted 0.01, 0.03, 0.04 times 3, 2, 1 gives 0.03, 0.06, 0.04; the last is raised to 0.06."""
    assert holm([0.04, 0.01, np.nan, 0.03])[:2] == pytest.approx([0.06, 0.03])
    assert holm([0.04, 0.01, np.nan, 0.03])[3] == pytest.approx(0.06)
    assert np.isnan(holm([0.04, np.nan])[1])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_effect_size_by_hand() -> None:
    assert effect_size([2.0, 6.0, 10.0]) == pytest.approx(1.5)  # mean 6, standard deviation 4
    assert effect_size([1.0, 3.0]) == pytest.approx(2**0.5)
    assert np.isnan(effect_size([2.0, 2.0]))


@pytest.mark.parametrize(
    ("values", "better", "expected"),
    [
        ([-1.0, -1.1, -0.9], "lower", "favours"),
        ([-1.0, -1.1, -0.9], "higher", "against"),
        ([1.0, 1.1, 0.9], "lower", "against"),
        ([1.0, -1.0, 0.5], "lower", "not established"),
    ],
)
def test_verdict(values: list[float], better: str, expected: str) -> None:
    test = paired_test(np.zeros(len(values)), values)
    assert verdict(test, better) == expected  # type: ignore[arg-type]
