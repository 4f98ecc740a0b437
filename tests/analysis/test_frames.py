"""Reading a study from disk: states, last checkpoints, depths, missing or damaged files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.evaluation import read_evaluation
from analysis.frames import load_study
from workbench.errors import WorkbenchError


def test_folder_without_study_raises_error_with_advice(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match=r"study\.json: no such file.*workbench ablate"):
        load_study(tmp_path)


def test_missing_study_keys_are_named(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(json.dumps({"study": "x", "question": "?"}))
    with pytest.raises(WorkbenchError, match="lacks conditions, predictive, primary, trials"):
        load_study(tmp_path)


def test_last_checkpoint_is_reported_not_the_best(make_study: Callable[..., Path]) -> None:
    """The last row is the worst of all and must still be reported."""
    metric = "decision/search_regret_decisive"
    results = load_study(make_study(final={("cnn", 0): {metric: 0.99}}))
    assert results.by_seed(metric).loc[0, "cnn"] == 0.99
    curve = results.curves.query("trial == 'cnn-0' and metric == @metric")
    assert curve["value"].min() < 0.99
    assert list(curve["step"]) == sorted(curve["step"])


def test_case_counts_are_assigned_to_their_depth(study: Path) -> None:
    """Reward counts start at depth 1, value counts at 0: 4520 minus 700 per depth for both."""
    depths = load_study(study).by_depth
    assert ((depths["n"] == 4520 - 700 * depths["depth"]).to_numpy()).all()
    assert depths.loc[depths["metric"] == "predictive/reward_error", "depth"].min() == 1
    assert depths.loc[depths["metric"] == "predictive/value_error", "depth"].min() == 0


def test_missing_deepest_depth_does_not_shift_case_counts(study: Path) -> None:
    path = study / "trials" / "cnn-0" / "result.json"
    result = json.loads(path.read_text())
    del result["metrics"]["predictive/reward_error@5"]
    result["evaluation_set"]["counts"]["predictive/reward_error"][-1] = 0
    path.write_text(json.dumps(result))
    depths = load_study(study).by_depth.query("trial == 'cnn-0'")
    rows = depths[depths["metric"] == "predictive/reward_error"].set_index("depth")["n"]
    assert rows.to_dict() == {1: 3820, 2: 3120, 3: 2420, 4: 1720}


def test_unfinished_trials_have_reasons_and_are_excluded_from_means(broken_study: Path) -> None:
    results = load_study(broken_study)
    reasons = results.failures.set_index("trial")[["state", "reason"]].to_dict("index")
    assert reasons == {
        "gcn-2": {"state": "failed", "reason": "TrialDiverged: loss is nan at 2500"},
        "cnn-2": {"state": "partial", "reason": "not finished, reached step 20,000"},
        "gcn-shuffled-0": {"state": "new", "reason": "not started"},
    }
    table = results.by_seed("decision/search_regret_decisive")
    assert np.isnan([table.loc[2, "cnn"], table.loc[2, "gcn"], table.loc[0, "gcn-shuffled"]]).all()
    assert table.notna().to_numpy().sum() == 6
    assert {"gcn-2", "cnn-2"} < set(results.curves["trial"])


def test_null_is_nan_and_damaged_result_is_a_failure(make_study: Callable[..., Path]) -> None:
    folder = make_study(final={("gcn", 1): {"predictive/value_error": None}})
    (folder / "trials" / "cnn-0" / "result.json").write_text("{")
    results = load_study(folder)
    assert np.isnan(results.by_seed("predictive/value_error").loc[1, "gcn"])
    reason = results.failures.set_index("trial").loc["cnn-0", "reason"]
    assert "cnn-0/result.json: is damaged: no JSON at line 1" in reason


def test_levels_that_differ_between_trials_are_dropped(study: Path) -> None:
    path = study / "trials" / "gcn-0" / "result.json"
    result = json.loads(path.read_text())
    result["levels"]["predictive/value_error"]["naive"] = 0.9
    path.write_text(json.dumps(result))
    levels = load_study(study).levels
    assert levels["predictive/value_error"] == {"oracle": 0.0}
    assert levels["decision/search_regret"] == {"naive": 0.31, "oracle": 0.0}


def test_analysis_imports_neither_torch_nor_ray_nor_ablations() -> None:
    code = (
        "import analysis.report, sys;"
        "print(sorted({'torch', 'ray', 'ablations'} & {n.split('.')[0] for n in sys.modules}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_unknown_oracle_level_is_unknown_at_every_depth(tmp_path: Path) -> None:
    name = "predictive/value_equivalence_error"
    contents = {
        "code": "0", "evaluation_set": {"hash": "0"}, "counts": {name: [9, 8]},
        "metrics": {name: 1.0, f"{name}@1": 1.0, f"{name}@2": 1.0},
    }  # fmt: skip
    file = tmp_path / "evaluation" / "equivalence.json"
    file.parent.mkdir()
    for levels, oracle in (({name: {"oracle": None}}, None), ({}, 0.0)):
        file.write_text(json.dumps(contents | {"levels": levels}))
        found = [one.oracle for one in read_evaluation(tmp_path).measurements]
        assert [None if value != value else value for value in found] == [oracle] * 3
