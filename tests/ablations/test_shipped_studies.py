"""The studies that are shipped: each can be read, and every model in it be built and sized."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablations.plan import check_match, make_plan, matched_parameters
from ablations.study import read_study
from workbench.trial import build, count_parameters
from workbench.types import tree_leaves

FILES = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_shipped_study_has_name_question_and_matched_sizes(file: Path, tmp_path: Path) -> None:
    study = read_study(file)
    assert study.name == file.stem
    assert study.question.strip().endswith("?")
    plan = make_plan(study, tmp_path)
    assert len(plan.trials) == len(study.conditions) * len(study.seeds)
    check_match(study, matched_parameters(study, count_parameters))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_condition_of_a_shipped_study_has_finite_predictions(file: Path) -> None:
    for condition in read_study(file).conditions:
        parts = build(condition.config)
        built_environment, streams = parts.environment, parts.streams
        state = built_environment.reset(2, streams["test"])
        root = parts.model.represent(built_environment.observe(state), streams["test"], state)
        predictions = tree_leaves(parts.model.predict(root))
        assert predictions
        assert all(bool(tensor.isfinite().all()) for tensor in predictions), condition.name
