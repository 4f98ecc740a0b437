"""Differences between configurations: changed, added, replaced and removed parts."""

from __future__ import annotations

from pathlib import Path

from ablations.config_diff import differences
from ablations.study import read_study
from workbench.config_diff import config_diff, flat

CONFIGS = Path(__file__).parents[2] / "configs"


def test_lines_name_changed_added_and_removed_options() -> None:
    base = {
        "planner": {"name": "puct", "simulations": 25, "noise": True},
        "losses": {"reward": {"name": "reward", "weight": 1.0}, "value": {"name": "value"}},
        "decoder": None,
        "device": "cpu",
    }
    other = {
        "planner": {"name": "puct", "simulations": 5, "noise": False},
        "losses": {"value": {"name": "value"}, "reward": None, "extra": {"name": "extra"}},
        "decoder": {"name": "mlp"},
    }
    assert config_diff(base, other) == [
        "planner: simulations=5, noise=false",
        "losses.extra: name=extra",
        "decoder: name=mlp",
        "without losses.reward, device",
    ]
    assert config_diff(base, base) == []
    assert flat(base)["losses.reward.weight"] == 1.0


def test_options_of_a_replaced_component_are_not_listed_as_removed() -> None:
    base = {"dynamics": {"name": "mlp", "width": 96}, "losses": {"reward": {"name": "reward"}}}
    other = {"dynamics": {"name": "true"}, "losses": {}}
    assert config_diff(base, other) == ["dynamics: name=true", "without losses.reward"]


def test_shipped_study_of_dynamics_states_the_removed_losses() -> None:
    study = read_study(CONFIGS / "dynamics_variants.yaml")
    for name in ("true", "perturbed_0.1", "perturbed_0.5"):
        lines = differences(study, study.condition(name))
        assert lines[-1] == "without losses.reward, losses.termination", name
    assert not any("without" in line for line in differences(study, study.condition("gru")))
