"""Figures of where decisions are lost: every number at its place, and sums that close."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.patches import Circle, Rectangle
from matplotlib.text import Text

from analysis.by_budget import blindfold, search_budget
from analysis.by_depth import depth_error_by_source, flip_rate
from analysis.figures import draw_figures
from analysis.frames import load_study
from analysis.gallery import costliest, gallery, load_states
from analysis.waterfall import regret_parts, regret_waterfall
from tests.analysis.evaluated_study import write_states

PARTS = ["dynamics", "prior", "value", "left"]


def lines(axes: Axes) -> list[np.ndarray]:
    return [np.asarray(line.get_xydata(), float) for line in axes.lines]


def has_line(axes: Axes, x: list[float], y: np.ndarray) -> bool:
    expected = np.column_stack([x, y])
    return any(d.shape == expected.shape and np.allclose(d, expected) for d in lines(axes))


def test_parts_are_together_the_regret_of_the_agent(evaluated_study: Path) -> None:
    parts = regret_parts(load_study(evaluated_study))
    assert len(parts) == 4
    assert parts[PARTS].sum(axis=1).to_numpy() == pytest.approx(parts["as it is"].to_numpy())


def test_the_waterfall_ends_where_what_is_left_begins(evaluated_study: Path) -> None:
    results = load_study(evaluated_study)
    figure = regret_waterfall(results)
    assert figure is not None
    parts = regret_parts(results)
    for axes, condition in zip(figure.axes, ("cnn", "gcn"), strict=True):
        bars = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
        whole, *steps, left = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars]
        assert whole == pytest.approx((0, parts.loc[condition, "as it is"].mean()))
        assert left == pytest.approx((0, parts.loc[condition, "left"].mean()))
        assert steps[0][0] == pytest.approx(whole[1])
        assert steps[-1][1] == pytest.approx(left[1])
        for before, after in pairwise(steps):
            assert after[0] == pytest.approx(before[1])
        dots = [d for d in axes.collections if isinstance(d, PathCollection)]
        assert [len(d.get_offsets()) for d in dots] == [2] * 5


def test_the_budget_is_a_mean_over_seeds_with_a_place_for_no_search(evaluated_study: Path) -> None:
    results = load_study(evaluated_study)
    figure = search_budget(results)
    assert figure is not None
    regret, gain, worsened = figure.axes
    data = results.evaluation.query("metric == 'decision/search_regret' and condition == 'gcn'")
    assert has_line(regret, [0, 5, 25], data.groupby("simulations")["value"].mean().to_numpy())
    assert has_line(worsened, [0, 5, 25], np.array([0, 0.5, 2.5]))
    assert {text.get_text() for text in regret.texts} == {"chance 0.65", "oracle 0"}
    assert [text.get_text() for text in gain.texts] == ["no search 0"]
    assert regret.get_xlim()[0] < 0 < 25 < regret.get_xlim()[1]


def test_sources_are_told_apart_with_chance_of_their_own(evaluated_study: Path) -> None:
    results = load_study(evaluated_study)
    figure = depth_error_by_source(results)
    assert figure is not None
    titles = [axes.get_title(loc="left").split(",")[0] for axes in figure.axes]
    assert titles == ["Value error", "Reward error", "Latent error", ""]
    data = results.evaluation.query(
        "metric == 'predictive/reward_error' and condition == 'cnn' and source == 'uniform'"
    )
    means = data.groupby("depth")["value"].mean()
    reward = figure.axes[1]
    assert has_line(reward, [1, 2], means.loc[[1, 2]].to_numpy()), "99 cases are too few"
    for chance in (2.0, 3.0, 4.0):
        assert has_line(reward, [1, 2], np.array([chance, chance]))
    assert [tick.get_text() for tick in reward.get_xticklabels()] == ["1\n400", "2\n200"]


def test_only_sources_that_were_followed_are_named(evaluated_study: Path) -> None:
    results = load_study(evaluated_study)
    kept = results.evaluation[results.evaluation["source"] != "oracle"]
    for given, wanted in (
        (results, ["behaviour", "uniform", "oracle", "chance"]),
        (replace(results, evaluation=kept), ["behaviour", "uniform", "chance"]),
    ):
        figure = depth_error_by_source(given)
        assert figure is not None
        assert [text.get_text() for text in figure.legends[-1].get_texts()] == wanted


def test_flips_and_blindfold_show_percent(evaluated_study: Path) -> None:
    results = load_study(evaluated_study)
    flips, seldom = flip_rate(results), blindfold(results)
    assert flips is not None
    assert seldom is not None
    data = results.evaluation.query("metric == 'decision/flip_rate' and condition == 'cnn'")
    means = 100 * data.groupby("depth")["value"].mean().to_numpy()
    assert has_line(flips.axes[0], [1, 2, 3], means)
    assert has_line(seldom.axes[0], [1, 2, 5], np.array([100, 50, 20]))


def test_the_gallery_takes_the_costly_decisive_positions_only(evaluated_study: Path) -> None:
    decided = load_states(load_study(evaluated_study))
    assert decided is not None
    assert costliest(decided) == [5], "position 4 is decisive, and every agent plays its best move"
    assert decided.of("gcn") == [2, 3]


def test_a_position_shows_stones_worth_and_cost(evaluated_study: Path) -> None:
    figure = gallery(load_study(evaluated_study))
    assert figure is not None
    axes = figure.axes[0]
    stones = [patch for patch in axes.patches if isinstance(patch, Circle)]
    assert len(stones) == 2 * 5, "two stones on a board of worths and on two boards a condition"
    said = [text.get_text() for text in axes.texts]
    assert said.count("costs 1.0") == 2
    worth = {t.get_text(): t for t in axes.texts if t.get_text() in ("0", "+1")}
    best: Text = worth["+1"]
    assert best.get_position() == (2.5, 1.5), "the last cell of a board of two rows and three"
    assert best.get_weight() == "bold"
    assert worth["0"].get_weight() == "normal"


def test_where_moves_are_columns_row_0_lies_lowest(evaluated_study: Path) -> None:
    for trial in (evaluated_study / "trials").iterdir():
        write_states(trial, np.random.default_rng(0), (4, 3), columns=True)
    figure = gallery(load_study(evaluated_study))
    assert figure is not None
    axes = figure.axes[0]
    first = next(patch for patch in axes.patches if isinstance(patch, Circle))
    assert first.center == (0.5, 3.5), "row 0 of four, counted downwards"
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    best = next(text for text in axes.texts if text.get_text() == "+1")
    assert best.get_position() == (2.5, 4.5), "below the last column"


def test_different_positions_are_not_laid_over_each_other(evaluated_study: Path) -> None:
    write_states(evaluated_study / "trials" / "gcn-0", np.random.default_rng(0), (3, 3))
    assert gallery(load_study(evaluated_study)) is None


def test_without_an_evaluation_nothing_more_is_drawn(make_study: Callable[..., Path]) -> None:
    folder = make_study(conditions=("cnn",), seeds=(0,), comparisons=[])
    assert set(draw_figures(load_study(folder))) == {
        "accuracy_and_decisions", "learning_curves", "error_by_depth"
    }  # fmt: skip
