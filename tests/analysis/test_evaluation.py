"""What was measured afterwards: read whole, taken into the tables, warned about where it is old."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.caveats import cautions
from analysis.evaluation import COLUMNS, read_evaluation
from analysis.frames import load_study
from analysis.study_agreement import correlation_frame, selection_frame
from tests.analysis.evaluated_study import write_measure


def only(frame: pd.DataFrame) -> pd.Series:
    assert len(frame) == 1
    return frame.iloc[0]


def test_a_reading_becomes_a_row_with_its_coordinates_levels_and_cases(
    evaluated_study: Path,
) -> None:
    stored = evaluated_study / "trials" / "gcn-1" / "evaluation" / "predictive.json"
    name = "predictive/reward_error@2[source=uniform]"
    frame = load_study(evaluated_study).evaluation
    row = only(frame.query("trial == 'gcn-1' and metric == 'predictive/reward_error' "
                           "and depth == 2 and source == 'uniform'"))  # fmt: skip
    assert (row["condition"], row["seed"]) == ("gcn", 1)
    assert row["value"] == json.loads(stored.read_text())["metrics"][name]
    assert (row["chance"], row["oracle"]) == (3.0, 0.0)
    assert row["n"] == 200, "counts begin at the first depth that the metric has, which is 1"
    assert pd.isna(row["simulations"])


def test_what_replaces_the_value_is_not_the_value_read(evaluated_study: Path) -> None:
    frame = load_study(evaluated_study).evaluation
    assert COLUMNS["value"] == "value_of"
    regrets = frame.query("metric == 'decision/transplant_regret' and simulations == 25")
    assert set(regrets["value_of"]) == {"learned", "oracle"}
    assert regrets["value"].between(0, 1).all()


def test_an_oracle_level_is_the_metrics_where_the_file_states_none(evaluated_study: Path) -> None:
    frame = load_study(evaluated_study).evaluation
    assert (frame.loc[frame["metric"] == "decision/flip_rate", "oracle"] == 0).all()
    assert frame.loc[frame["metric"] == "decision/planning_gain", "oracle"].isna().all()


def test_a_new_metric_joins_the_last_checkpoints_and_an_old_one_stays(
    evaluated_study: Path,
) -> None:
    results = load_study(evaluated_study)
    result = json.loads((evaluated_study / "trials" / "cnn-0" / "result.json").read_text())
    row = only(results.final.query("trial == 'cnn-0'"))
    assert row["predictive/value_error"] == result["metrics"]["predictive/value_error"] != 0.9
    assert 0.3 <= row["predictive/relevant_error"] <= 1.3
    assert results.levels["predictive/relevant_error"] == {"chance": 0.8, "oracle": 0.0}
    for frame in (selection_frame(results), correlation_frame(results)):
        assert "predictive/relevant_error" in set(frame["predictive"])


def test_a_metric_of_a_later_version_and_a_torn_file_are_no_obstacle(evaluated_study: Path) -> None:
    trial = evaluated_study / "trials" / "cnn-0"
    write_measure(trial, "later", {"predictive/unheard_of@3[planet=mars]": 1.0})
    (trial / "evaluation" / "torn.json").write_text('{"metrics": {"predic')
    assert any(m.reading.metric == "predictive/unheard_of" for m in read_evaluation(trial))
    assert only(load_study(evaluated_study).evaluation.query("metric.str.contains('unheard')"))[
        "value"
    ] == pytest.approx(1.0)


def test_measured_by_other_code_or_not_all_measured_is_a_caution(
    evaluated_study: Path, make_study: Callable[..., Path]
) -> None:
    def told() -> str:
        return " ".join(cautions(load_study(evaluated_study)))

    assert "workbench evaluate" not in told()
    stale = evaluated_study / "trials" / "cnn-0" / "evaluation" / "flips.json"
    stale.write_text(json.dumps(json.loads(stale.read_text()) | {"code": "older"}))
    assert "of 1 trial comes from another version" in told()
    for path in (evaluated_study / "trials" / "gcn-1" / "evaluation").iterdir():
        path.unlink()
    assert "measured 3 of 4 finished trials" in told()


def test_predictions_along_random_moves_only_are_a_caution(
    evaluated_study: Path, study: Path
) -> None:
    results = load_study(evaluated_study)
    random = results.evaluation["source"].isin(["uniform"]) | results.evaluation["source"].isna()
    alone = replace(results, evaluation=results.evaluation[random])
    for given, said in ((results, False), (alone, True), (load_study(study), False)):
        assert any("random moves only" in caution for caution in cautions(given)) is said
