"""Figures: correct values and positions, reproducible bytes, no side effects on matplotlib."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from analysis.by_depth import error_by_depth
from analysis.figures import (
    accuracy_and_decisions,
    draw_figures,
    learning_curves,
    paired_differences,
)
from analysis.frames import load_study
from analysis.provenance import data_digest, provenance
from analysis.style import WIDTHS, condition_styles, save, styled
from tests.analysis.evaluated_study import write_states
from tests.analysis.legibility import faults

REGRET, ERROR = "decision/search_regret_decisive", "predictive/value_error"


def test_figures_are_byte_identical_and_leave_matplotlib_unchanged(
    evaluated_study: Path, tmp_path: Path
) -> None:
    before = dict(matplotlib.rcParams)
    written = [
        {
            path.name: path.read_bytes()
            for name, figure in draw_figures(load_study(evaluated_study)).items()
            for path in save(figure, tmp_path / run, name, "study x")
        }
        for run in ("first", "second")
    ]
    assert written[0] == written[1]
    assert len(written[0]) == 30
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []


def test_users_matplotlibrc_does_not_change_a_figure(study: Path, tmp_path: Path) -> None:
    def drawn(run: str) -> list[bytes]:
        figure = accuracy_and_decisions(load_study(study))
        assert figure is not None
        return [path.read_bytes() for path in save(figure, tmp_path / run, "figure", "study x")]

    expected = drawn("defaults")
    with matplotlib.rc_context({"text.usetex": True, "savefig.bbox": "tight", "axes.grid": False}):
        assert drawn("changed") == expected
        assert matplotlib.rcParams["text.usetex"] is True


def test_full_disk_is_reported_with_the_file(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = accuracy_and_decisions(load_study(study))
    assert figure is not None
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "disk full")))
    with pytest.raises(OSError, match="disk full") as error:
        save(figure, tmp_path / "figures", "figure", "study x")
    assert error.value.filename == str(tmp_path / "figures" / "figure.pdf")
    assert list((tmp_path / "figures").iterdir()) == []


def test_every_file_contains_its_provenance(evaluated_study: Path, tmp_path: Path) -> None:
    results = load_study(evaluated_study)
    figure = accuracy_and_decisions(results)
    assert figure is not None
    line = provenance(results)
    assert line.startswith("study gcn_vs_cnn, data SHA-256 ")
    for path in save(figure, tmp_path, "figure", line):
        assert line.encode() in path.read_bytes(), path.suffix


def test_data_hash_depends_on_measurements_not_on_times(evaluated_study: Path) -> None:
    def change(name: str, **values: object) -> str:
        path = evaluated_study / "trials" / "cnn-0" / name
        path.write_text(json.dumps(json.loads(path.read_text()) | values))
        return data_digest(load_study(evaluated_study))

    before = data_digest(load_study(evaluated_study))
    assert change("result.json", seconds=1.0) == before
    assert change("evaluation/flips.json", seconds=9.0) == before
    after = change("evaluation/flips.json", metrics={"decision/flip_rate@1[simulations=25]": 0.5})
    assert after != before
    write_states(evaluated_study / "trials" / "gcn-1", np.random.default_rng(7))
    assert data_digest(load_study(evaluated_study)) != after


@pytest.mark.parametrize(
    ("primary", "best"), [("decision/search_optimal_rate_decisive", 1.0), (REGRET, 0.0)]
)
def test_asinh_axis_separates_results_near_the_optimum_despite_an_outlier(
    make_study: Callable[..., Path], primary: str, best: float
) -> None:
    near = {"true": [0.0, 0.002], "linear": [0.003, 0.004], "gru": [0.013, 0.015]}
    far = {"identity": [0.27, 0.29]}

    def axis_positions(distances: dict[str, list[float]]) -> tuple[Axes, dict[str, float]]:
        final = {
            (name, seed): {primary: abs(best - distance), ERROR: 0.1}
            for name, both in distances.items()
            for seed, distance in enumerate(both)
        }
        study = make_study(conditions=[*distances], seeds=range(2), final=final, primary=primary)
        figure = accuracy_and_decisions(load_study(study))
        assert figure is not None
        axes = figure.axes[0]
        factor = 100 if best else 1
        means = [abs(best - np.mean(both)) * factor for both in distances.values()]
        points = axes.transData.transform([(1.0, mean) for mean in means])
        shares = axes.transAxes.inverted().transform(points)[:, 1]
        return axes, dict(zip(distances, map(float, shares), strict=True))

    axes, at = axis_positions(near | far)
    # On a linear axis these gaps would be 0.0025 / 0.28 and 0.0105 / 0.28.
    assert abs(at["linear"] - at["true"]) > 5 * 0.0025 / 0.28
    assert abs(at["gru"] - at["linear"]) > 5 * 0.0105 / 0.28
    assert (at["true"] > at["linear"] > at["gru"] > at["identity"]) is bool(best)
    assert all(0 < share < 1 for share in at.values())
    ticks = axes.get_yticks()
    assert best * 100 in ticks
    assert len(ticks) >= 5
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"{t:g}" for t in ticks]
    assert axis_positions(near)[0].get_yscale() == "linear"


def test_main_figure_shows_every_trial_at_its_values(study: Path) -> None:
    results = load_study(study)
    figure = accuracy_and_decisions(results)
    assert figure is not None
    axes = figure.axes[0]
    shown = np.vstack([np.asarray(cloud.get_offsets()) for cloud in axes.collections])
    expected = results.done[[ERROR, REGRET]].to_numpy(float)
    assert np.allclose(np.sort(shown, axis=0), np.sort(expected, axis=0))
    assert "← better" in axes.get_xlabel()
    assert "← better" in axes.get_ylabel()
    assert {text.get_text() for text in axes.texts} >= {"oracle 0", "naive 0.62 ↑"}


def test_shares_are_drawn_in_percent_with_higher_as_better(
    make_study: Callable[..., Path],
) -> None:
    results = load_study(make_study(primary="decision/search_optimal_rate"))
    figure = accuracy_and_decisions(results)
    assert figure is not None
    assert "%   better →" in figure.axes[0].get_ylabel()
    assert 50 < figure.axes[0].get_ylim()[1] < 110


LONG = ("a" * 60, "simulations=25 · representation_with_a_long_name · unroll=5")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("names", [("cnn", "gcn"), LONG], ids=["short names", "60 characters"])
def test_figures_are_legible_and_as_wide_as_asked(
    evaluated_study: Path, names: tuple[str, str], width: str
) -> None:
    """No text overlaps another one or is cut off, and no panel collapses."""
    manifest = (evaluated_study / "study.json").read_text()
    for old, new in zip(("cnn", "gcn"), names, strict=True):
        manifest = manifest.replace(f'"{old}"', json.dumps(new))
    (evaluated_study / "study.json").write_text(manifest)
    drawn = draw_figures(load_study(evaluated_study), WIDTHS[width])
    assert len(drawn) == 10
    for name, figure in drawn.items():
        assert figure.get_figwidth() <= WIDTHS[width] + 1e-9, name
        with styled():
            assert faults(figure) == [], name
    assert drawn["paired_differences"].get_figwidth() == WIDTHS[width]


def test_ten_conditions_in_a_column_are_legible(make_study: Callable[..., Path]) -> None:
    names = [f"condition_{i}" for i in range(10)]
    results = load_study(make_study(conditions=names, seeds=(0, 1)))
    for name, figure in draw_figures(results, WIDTHS["column"]).items():
        with styled():
            assert faults(figure) == [], name


def test_legend_follows_the_order_of_the_conditions_row_by_row(
    make_study: Callable[..., Path],
) -> None:
    names = [f"condition_{i}" for i in range(5)]
    figure = accuracy_and_decisions(load_study(make_study(conditions=names)), WIDTHS["column"])
    assert figure is not None
    figure.draw_without_rendering()
    places = {t.get_text(): t.get_window_extent() for t in figure.legends[0].get_texts()}
    reading_order = sorted(places, key=lambda text: (-round(places[text].y0), places[text].x0))
    assert reading_order == [f"{name} (3)" for name in names]
    assert len({round(box.x0) for box in places.values()}) > 1, "several columns"


def test_values_that_span_decades_get_a_log_axis(make_study: Callable[..., Path]) -> None:
    final = {("cnn", seed): {ERROR: 9.0 + seed} for seed in (0, 1, 2)}
    figure = accuracy_and_decisions(load_study(make_study(final=final)))
    assert figure is not None
    assert figure.axes[0].get_xscale() == "log"
    assert figure.axes[0].get_yscale() == "linear"


def test_forest_plot_shows_the_difference_of_each_seed(study: Path) -> None:
    results = load_study(study)
    figure = paired_differences(results)
    assert figure is not None
    table = results.by_seed(REGRET)
    shown = np.asarray(figure.axes[0].collections[0].get_offsets())[:, 0]
    assert shown == pytest.approx((table["gcn"] - table["cnn"]).to_numpy())
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["gcn − cnn", "gcn-shuffled − cnn"]


def test_depth_ticks_show_case_counts(study: Path) -> None:
    figure = error_by_depth(load_study(study))
    assert figure is not None
    labels = [[tick.get_text() for tick in axes.get_xticklabels()] for axes in figure.axes]
    assert labels[0] == ["1\n3,820", "2\n3,120", "3\n2,420", "4\n1,720", "5\n1,020"]
    assert labels[1][0] == "0\n4,520"
    baseline = [line for line in figure.axes[1].lines if list(line.get_ydata()) == [0.6] * 6]
    assert len(baseline) == 1


def test_shares_by_depth_are_drawn_in_percent(study: Path) -> None:
    results = load_study(study)
    shares = results.by_depth.query("metric == 'predictive/value_error'").assign(
        metric="predictive/illegal_mass"
    )
    levels = {f"predictive/illegal_mass@{k}": {"naive": 0.6} for k in range(6)}
    figure = error_by_depth(replace(results, by_depth=shares, levels=levels))
    assert figure is not None
    (axes,) = figure.axes
    assert "%" in axes.get_title(loc="left")
    drawn = {tuple(np.asarray(line.get_ydata(), dtype=float)) for line in axes.lines}
    assert (60.0,) * 6 in drawn
    done = shares[(shares["condition"] == "gcn") & (shares["state"] == "done")]
    means = 100 * done.groupby("depth")["value"].mean().to_numpy()
    assert any(len(line) == 6 and np.allclose(line, means) for line in drawn)


def test_mean_curve_uses_finished_trials_only(broken_study: Path) -> None:
    results = load_study(broken_study)
    figure = learning_curves(results)
    assert figure is not None
    curves = results.curves.query("condition == 'gcn' and metric == @REGRET and state == 'done'")
    expected = curves.groupby("step")["value"].mean().to_numpy()
    lines = [np.asarray(line.get_ydata(), dtype=float) for line in figure.axes[0].lines]
    assert any(line.shape == expected.shape and np.allclose(line, expected) for line in lines)


def test_no_figures_without_finished_trials(make_study: Callable[..., Path]) -> None:
    skip = [(condition, 0) for condition in ("cnn", "gcn")]
    folder = make_study(conditions=("cnn", "gcn"), seeds=(0,), skip=skip)
    assert draw_figures(load_study(folder)) == {}


def test_condition_styles_are_stable_and_distinct() -> None:
    names = [f"c{i}" for i in range(10)]
    styles = condition_styles(names)
    assert styles["c0"] == condition_styles(names[:1])["c0"]
    assert len({(style.color, style.marker) for style in styles.values()}) == 10
    assert len({style.marker for style in styles.values()}) == 10
