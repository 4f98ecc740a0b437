"""Results of `workbench evaluate`: reading, use in tables, caveats if they are outdated."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.caveats import caveats
from analysis.evaluation import COORDINATE_COLUMNS, read_evaluation
from analysis.frames import load_study
from analysis.study_agreement import correlation_frame, selection_frame
from tests.analysis.evaluated_study import write_measure


def only(frame: pd.DataFrame) -> pd.Series:
    assert len(frame) == 1
    return frame.iloc[0]


def test_measurement_becomes_row_with_coordinates_levels_and_case_count(
    evaluated_study: Path,
) -> None:
    stored = evaluated_study / "trials" / "gcn-1" / "evaluation" / "predictive.json"
    name = "predictive/reward_error@2[source=uniform]"
    frame = load_study(evaluated_study).evaluation
    row = only(frame.query("trial == 'gcn-1' and metric == 'predictive/reward_error' "
                           "and depth == 2 and source == 'uniform'"))  # fmt: skip
    assert (row["condition"], row["seed"]) == ("gcn", 1)
    assert row["value"] == json.loads(stored.read_text())["metrics"][name]
    assert (row["naive"], row["oracle"]) == (3.0, 0.0)
    assert row["n"] == 200, "counts start at the metric's first depth, which is 1"
    assert pd.isna(row["simulations"])


def test_coordinate_named_value_does_not_overwrite_measured_value(evaluated_study: Path) -> None:
    frame = load_study(evaluated_study).evaluation
    assert COORDINATE_COLUMNS["value"] == "value_of"
    regrets = frame.query("metric == 'decision/transplant_regret' and simulations == 25")
    assert set(regrets["value_of"]) == {"learned", "oracle"}
    assert regrets["value"].between(0, 1).all()


def test_oracle_level_defaults_to_that_of_the_metric(evaluated_study: Path) -> None:
    frame = load_study(evaluated_study).evaluation
    assert (frame.loc[frame["metric"] == "decision/flip_rate", "oracle"] == 0).all()
    assert frame.loc[frame["metric"] == "decision/planning_gain", "oracle"].isna().all()


def test_evaluation_adds_new_metrics_but_does_not_replace_trained_ones(
    evaluated_study: Path,
) -> None:
    results = load_study(evaluated_study)
    result = json.loads((evaluated_study / "trials" / "cnn-0" / "result.json").read_text())
    row = only(results.final.query("trial == 'cnn-0'"))
    assert row["predictive/value_error"] == result["metrics"]["predictive/value_error"] != 0.9
    assert 0.3 <= row["predictive/decision_weighted_error"] <= 1.3
    assert results.levels["predictive/decision_weighted_error"] == {"naive": 0.8, "oracle": 0.0}
    for frame in (selection_frame(results), correlation_frame(results)):
        assert "predictive/decision_weighted_error" in set(frame["predictive"])


def test_unknown_metrics_and_truncated_files_are_tolerated(evaluated_study: Path) -> None:
    trial = evaluated_study / "trials" / "cnn-0"
    write_measure(trial, "later", {"predictive/unheard_of@3[planet=mars]": 1.0})
    (trial / "evaluation" / "torn.json").write_text('{"metrics": {"predic')
    stored = read_evaluation(trial)
    assert any(m.reading.metric == "predictive/unheard_of" for m in stored.measurements)
    assert [text.split(": ")[0] for text in stored.damage] == [f"{trial}/evaluation/torn.json"]
    assert only(load_study(evaluated_study).evaluation.query("metric.str.contains('unheard')"))[
        "value"
    ] == pytest.approx(1.0)


def test_evaluation_by_other_code_or_of_some_trials_is_a_caveat(
    evaluated_study: Path, make_study: Callable[..., Path]
) -> None:
    def all_caveats() -> str:
        return " ".join(caveats(load_study(evaluated_study)))

    assert "workbench evaluate" not in all_caveats()
    stale = evaluated_study / "trials" / "cnn-0" / "evaluation" / "flips.json"
    stale.write_text(json.dumps(json.loads(stale.read_text()) | {"code": "older"}))
    assert "of 1 trial comes from another version" in all_caveats()
    for path in (evaluated_study / "trials" / "gcn-1" / "evaluation").iterdir():
        path.unlink()
    assert "measured 3 of 4 finished trials" in all_caveats()


def test_predictions_along_random_actions_only_are_a_caveat(
    evaluated_study: Path, study: Path
) -> None:
    results = load_study(evaluated_study)
    is_random = results.evaluation["source"].isin(["uniform"]) | results.evaluation["source"].isna()
    random_only = replace(results, evaluation=results.evaluation[is_random])
    for given, expected in ((results, False), (random_only, True), (load_study(study), False)):
        assert any("random actions only" in caveat for caveat in caveats(given)) is expected
