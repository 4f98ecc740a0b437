"""Trials that look done and are not: no update, clamped targets, measures that return no number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.workbench.fakes import TINY, trial
from workbench.components import MeasureConfig
from workbench.contracts import MeasureInfo
from workbench.errors import InvalidReading, TrialNeverLearned, TrialTakenOver
from workbench.evaluation import evaluate_trial
from workbench.models.value_encoding import Categorical, Scalar
from workbench.record import TrialRecord
from workbench.registry import register, unregister
from workbench.training.clamped_targets import ClampedTargets
from workbench.trial import run_trial
from workbench.types import Target

QUICK: dict[str, Any] = {**TINY, "measures": {"predictive": None, "decision": None}}


def test_trial_without_a_finished_episode_fails_with_the_reason(tmp_path: Path) -> None:
    changes = {
        "environment": "mountain_car",
        "planner": "policy",
        "procedure.steps": 320,
        "procedure.warm_up": 50,
        "procedure.random_start.fraction": 0.0,
        "model.prediction.value": {"low": -200.0, "high": 0.0},
        "model.prediction.reward": {"low": -1.0, "high": 0.0},
        "measures": {"returns": None},
    }
    config = trial(changes, base=QUICK)
    with pytest.raises(TrialNeverLearned, match=r"320 steps without a single update.*only finish"):
        run_trial(config, tmp_path)
    assert TrialRecord(tmp_path).result() is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("good", "str 'good'"),
        (torch.tensor(1.0), "Tensor tensor(1.)"),
        (float("nan"), "float nan"),
        (float("inf"), "float inf"),
        (True, "bool True"),
    ],
)
def test_measure_that_returns_no_number_fails_its_own_trial(
    tmp_path: Path, value: Any, shown: str
) -> None:
    class Broken:
        def __call__(self, agent: Any, planner: Any) -> dict[str, Any]:
            return {"decision/broken": value}

        def info(self) -> MeasureInfo:
            return MeasureInfo("", 0, {}, {})

    @register("measure", "broken")
    class BrokenConfig(MeasureConfig):
        """Returns no number."""

        def build(self, parts: Any) -> Any:
            return Broken()

        @classmethod
        def for_evaluation(cls, trial: Any) -> Any:
            return cls()

    try:
        with pytest.raises(InvalidReading) as found:
            run_trial(trial({**QUICK, "measures.broken": {}}), tmp_path / "trained")
        assert f"measure 'broken' returned {shown} for metric" in str(found.value)
        run_trial(trial(QUICK), tmp_path / "evaluated")
        statuses = evaluate_trial(tmp_path / "evaluated", ["broken", "exploitability"])
        states = {status.measure: status.state for status in statuses}
        assert states == {"broken": "failed", "exploitability": "measured"}
    finally:
        unregister("measure", "broken")


def test_share_of_clamped_targets_is_noted(tmp_path: Path) -> None:
    config = trial(QUICK)  # with atoms that reading it would refuse, as the bounds are known here
    model: Any = config.model
    value = model.prediction.value.model_copy(update={"low": -0.1, "high": 0.1})
    prediction = model.prediction.model_copy(update={"value": value})
    model = model.model_copy(update={"prediction": prediction})
    config = config.model_copy(update={"model": model})
    result = run_trial(config, tmp_path)
    shares = result["clamped_targets"]
    assert 0.1 < shares["value"] <= 1
    assert any(
        note.startswith(f"{shares['value']:.1%} of the value targets lay outside [-0.1, 0.1]")
        for note in result["notes"]
    )


def test_clamped_targets_are_counted_where_they_are_used() -> None:
    value = torch.tensor([[0.0, 1.0, 1.5], [-1.0, -2.0, 9.0]])
    mask = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    counted = ClampedTargets({"value": Categorical(-1.0, 1.0, 3), "reward": Scalar()})
    counted.count({"value": Target(value, mask), "reward": Target(value, mask)})
    assert counted.shares() == {"value": 2 / 5}
    counted.count({"value": Target(0 * value, mask)})
    assert counted.shares() == {"value": 2 / 10}


def test_process_whose_trial_was_taken_over_writes_nothing_more(tmp_path: Path) -> None:
    config = trial(QUICK)

    def taken_over(fraction: float, metrics: Any) -> None:
        if fraction > 0:
            TrialRecord(tmp_path).start({"seed": 1})

    def files() -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}

    before: list[dict[str, bytes]] = []

    def on_measurement(fraction: float, metrics: Any) -> None:
        taken_over(fraction, metrics)
        before.append(files())

    with pytest.raises(TrialTakenOver, match=r"process \d+ on .* runs this trial now"):
        run_trial(config, tmp_path, on_measurement)
    assert files() == before[-1]
    assert len(before) == 2
