"""Figures of `workbench evaluate`: values at their positions, attributions that sum up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.patches import Circle, Rectangle
from matplotlib.text import Text

from analysis.by_budget import open_loop_play, search_budget
from analysis.by_depth import depth_error_by_source, flip_rate
from analysis.figures import draw_figures
from analysis.frames import load_study
from analysis.gallery import costliest, gallery, load_positions
from analysis.waterfall import regret_parts, regret_waterfall
from tests.analysis.evaluated_study import write_measure, write_states

PARTS = ["unchanged", "dynamics", "prior", "value"]


def lines(axes: Axes) -> list[np.ndarray]:
    return [np.asarray(line.get_xydata(), float) for line in axes.lines]


def has_line(axes: Axes, x: list[float], y: np.ndarray) -> bool:
    expected = np.column_stack([x, y])
    return any(d.shape == expected.shape and np.allclose(d, expected) for d in lines(axes))


def test_effects_lead_from_the_regret_of_the_agent_to_the_remaining_regret(
    evaluated_study: Path,
) -> None:
    parts = regret_parts(load_study(evaluated_study))
    assert len(parts) == 4
    assert parts[PARTS].sum(axis=1).to_numpy() == pytest.approx(parts["left"].to_numpy())


def test_bar_label_table_and_stored_value_have_the_same_sign(evaluated_study: Path) -> None:
    """Replacing the dynamics lowers the regret from 0.9 to 0.2 and no other part has an effect."""
    regrets: dict[str, float | None] = {}
    for dynamics, prior, value in product(("learned", "true"), ("learned", "uniform"),
                                          ("learned", "oracle")):  # fmt: skip
        at = f"dynamics={dynamics},prior={prior},value={value},simulations=25"
        regrets[f"decision/transplant_regret[{at}]"] = 0.9 if dynamics == "learned" else 0.2
    for name, sign in (("substitution_effect", 1), ("regret_attributed", -1)):
        effects = {
            f"decision/{name}[part={part},simulations=25]": sign * value
            for part, value in (("dynamics", -0.7), ("prior", 0.0), ("value", 0.0))
        }
        for trial in (evaluated_study / "trials").iterdir():
            write_measure(trial, "transplant", regrets | effects)
        results = load_study(evaluated_study)
        assert regret_parts(results)["dynamics"].to_numpy() == pytest.approx(-0.7)
        stored = results.evaluation.query("metric == 'decision/substitution_effect'")
        assert stored.query("part == 'dynamics'")["value"].to_numpy() == pytest.approx(-0.7)
        figure = regret_waterfall(results)
        assert figure is not None
        bars = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
        assert bars[1].get_width() == pytest.approx(-0.7)
        assert [text.get_text() for text in figure.axes[0].texts][:2] == ["0.90", "−0.70"]


def test_waterfall_bars_are_contiguous(evaluated_study: Path) -> None:
    results = load_study(evaluated_study)
    figure = regret_waterfall(results)
    assert figure is not None
    parts = regret_parts(results)
    for axes, condition in zip(figure.axes, ("cnn", "gcn"), strict=True):
        bars = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
        whole, *steps, left = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars]
        assert whole == pytest.approx((0, parts.loc[condition, "unchanged"].mean()))
        assert left == pytest.approx((0, parts.loc[condition, "left"].mean()))
        assert steps[0][0] == pytest.approx(whole[1])
        assert steps[-1][1] == pytest.approx(left[1])
        for before, after in pairwise(steps):
            assert after[0] == pytest.approx(before[1])
        dots = [d for d in axes.collections if isinstance(d, PathCollection)]
        assert [len(d.get_offsets()) for d in dots] == [2] * 5


def test_search_budget_averages_over_seeds_and_includes_zero_simulations(
    evaluated_study: Path,
) -> None:
    results = load_study(evaluated_study)
    figure = search_budget(results)
    assert figure is not None
    regret, gain, worsened = figure.axes
    data = results.evaluation.query("metric == 'decision/search_regret' and condition == 'gcn'")
    assert has_line(regret, [0, 5, 25], data.groupby("simulations")["value"].mean().to_numpy())
    assert has_line(worsened, [0, 5, 25], np.array([0, 0.5, 2.5]))
    assert {text.get_text() for text in regret.texts} == {"naive 0.65", "oracle 0"}
    assert [text.get_text() for text in gain.texts] == ["no search 0"]
    assert regret.get_xlim()[0] < 0 < 25 < regret.get_xlim()[1]


def test_each_source_has_its_own_lines_and_naive_baseline(evaluated_study: Path) -> None:
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
    assert has_line(reward, [1, 2], means.loc[[1, 2]].to_numpy()), "depth 3 has 99 cases, too few"
    for naive in (2.0, 3.0, 4.0):
        assert has_line(reward, [1, 2], np.array([naive, naive]))
    assert [tick.get_text() for tick in reward.get_xticklabels()] == ["1\n400", "2\n200"]


def test_legend_names_only_measured_sources(evaluated_study: Path) -> None:
    results = load_study(evaluated_study)
    without_oracle = results.evaluation[results.evaluation["source"] != "oracle"]
    for given, expected in (
        (results, ["behaviour", "uniform", "oracle", "naive"]),
        (replace(results, evaluation=without_oracle), ["behaviour", "uniform", "naive"]),
    ):
        figure = depth_error_by_source(given)
        assert figure is not None
        assert [text.get_text() for text in figure.legends[-1].get_texts()] == expected


def test_flip_rate_and_open_loop_score_are_drawn_in_percent(evaluated_study: Path) -> None:
    results = load_study(evaluated_study)
    flips, open_loop = flip_rate(results), open_loop_play(results)
    assert flips is not None
    assert open_loop is not None
    data = results.evaluation.query("metric == 'decision/flip_rate' and condition == 'cnn'")
    means = 100 * data.groupby("depth")["value"].mean().to_numpy()
    assert has_line(flips.axes[0], [1, 2, 3], means)
    assert has_line(open_loop.axes[0], [1, 2, 5], np.array([100, 50, 20]))


def test_gallery_selects_positions_with_regret_only(evaluated_study: Path) -> None:
    records = load_positions(load_study(evaluated_study))
    assert records is not None
    assert costliest(records) == [5], "position 4 is decisive, but every agent plays its best move"
    assert records.agents_of("gcn") == [2, 3]


def test_gallery_row_shows_stones_values_and_regret(evaluated_study: Path) -> None:
    figure = gallery(load_study(evaluated_study))
    assert figure is not None
    axes = figure.axes[0]
    stones = [patch for patch in axes.patches if isinstance(patch, Circle)]
    assert len(stones) == 2 * 5, "two stones on the board of values and on two boards per condition"
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("regret 1.0") == 2
    values = {t.get_text(): t for t in axes.texts if t.get_text() in ("0", "+1")}
    best: Text = values["+1"]
    assert best.get_position() == (2.5, 1.5), (
        "the last cell of a board of two rows and three columns"
    )
    assert best.get_weight() == "bold"
    assert values["0"].get_weight() == "normal"


def test_row_0_is_lowest_if_moves_are_columns(evaluated_study: Path) -> None:
    for trial in (evaluated_study / "trials").iterdir():
        write_states(trial, np.random.default_rng(0), (4, 3), columns=True)
    figure = gallery(load_study(evaluated_study))
    assert figure is not None
    axes = figure.axes[0]
    first = next(patch for patch in axes.patches if isinstance(patch, Circle))
    assert first.center == (0.5, 3.5), "row 0 of four is drawn last"
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    best = next(text for text in axes.texts if text.get_text() == "+1")
    assert best.get_position() == (2.5, 4.5), "below the last column"


def test_no_gallery_if_trials_have_different_positions(evaluated_study: Path) -> None:
    write_states(evaluated_study / "trials" / "gcn-0", np.random.default_rng(0), (3, 3))
    assert gallery(load_study(evaluated_study)) is None


def test_evaluation_figures_are_omitted_without_an_evaluation(
    make_study: Callable[..., Path],
) -> None:
    folder = make_study(conditions=("cnn",), seeds=(0,), comparisons=[])
    assert set(draw_figures(load_study(folder))) == {
        "accuracy_and_decisions", "learning_curves", "error_by_depth"
    }  # fmt: skip
