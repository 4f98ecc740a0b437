"""Options of training: valid values, and messages about invalid ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.workbench.fakes import problems_of, trial
from tests.workbench.training.test_actor import NO_RANDOM_START, TwoToOnePlanner, parts_of
from workbench.config import dump
from workbench.training.actor import Actor
from workbench.training.learner import Optimisers
from workbench.training.settings import OptimiserConfig, TemperatureConfig

ATARI = [[0.0, 1.0], [0.5, 0.5], [0.75, 0.25]]


@pytest.mark.parametrize(
    ("fraction", "temperature"),
    [(0.0, 1.0), (0.49, 1.0), (0.5, 0.5), (0.74, 0.5), (0.75, 0.25), (1.0, 0.25)],
)
def test_schedule_value_holds_from_its_fraction(fraction: float, temperature: float) -> None:
    config = trial({"procedure.temperature.value": ATARI}).procedure
    assert config.temperature.at(fraction) == temperature  # type: ignore[attr-defined]


def test_number_is_a_constant_schedule_and_round_trips() -> None:
    config: Any = trial({"procedure.temperature": {"sampled_actions": 1, "value": 2}}).procedure
    assert config.temperature == TemperatureConfig(sampled_actions=1, value=((0.0, 2.0),))
    assert [config.temperature.at(fraction) for fraction in (0.0, 0.5, 1.0)] == [2.0] * 3
    assert TemperatureConfig.model_validate(dump(config.temperature)) == config.temperature


@pytest.mark.parametrize(
    ("value", "shown_messages"),
    [
        ("[[0.1, 1.0]]", "must ascend from 0"),
        ("[[0.0, 1.0], [0.5, 0.5], [0.5, 0.2]]", "must ascend"),
        ("[[0.0, 1.0], [0.7, 0.5], [0.5, 0.2]]", "must ascend"),
        ("[[0.0, 1.0], [1.5, 0.2]]", "at most 1"),
        ("[[0.0, 1.0], [0.5, 0.0]]", "greater than 0"),
        ("-1", "greater than 0"),
        ("true", "a temperature is a number"),
        ("[]", "a temperature is a number"),
        ("[[0.0, 1.0, 2.0]]", "a temperature is a number"),
        ("[[0.0, high]]", "a temperature is a number"),
        ("[[0.0, .inf]]", "finite"),
    ],
)
def test_invalid_schedule_is_reported(value: str, shown_messages: str) -> None:
    text = f"preset: muzero\nprocedure:\n  temperature: {{value: {value}}}\n"
    (problem,) = problems_of(text)
    assert shown_messages in problem
    assert "t.yaml:3" in problem
    assert "procedure.temperature.value" in problem


@pytest.mark.parametrize(("fraction", "temperature"), [(0.0, 1.0), (0.6, 0.5)])
def test_actions_are_sampled_with_the_scheduled_temperature(
    fraction: float, temperature: float
) -> None:
    # Visits 1 : 2 give the greater one odds of 2^(1/T).
    schedule = TemperatureConfig(sampled_actions=1, value=ATARI)  # type: ignore[arg-type]
    parts = replace(parts_of(), planner=TwoToOnePlanner())
    actor = Actor(parts, 4000, NO_RANDOM_START, schedule)
    actor.step(parts.model, fraction)
    share = float((actor.state_dict()["action"] == 8).float().mean())
    expected = 2 ** (1 / temperature) / (1 + 2 ** (1 / temperature))
    assert share == pytest.approx(expected, abs=5 * (expected * (1 - expected) / 4000) ** 0.5)


@pytest.mark.parametrize(
    ("lines", "shown_messages"),
    [
        (
            ["procedure.augment: true", "environment: cartpole", "planner.q_normalisation: min_max",
             "procedure.random_start.fraction: 0"],
            ["augment would have no effect", "'cartpole'", "augment: false"],
        ),
        (
            ["procedure.augment: true", "model.dynamics: true", "losses.reward: null",
             "losses.termination: null", "planner.interior_legality: true"],
            ["augment", "'composed'", "cannot transform"],
        ),
        (
            ["procedure.reanalyse: {ratio: 1.0, policy: false, value: false}"],
            ["reanalyse would have no effect", "reanalyse.ratio: 0"],
        ),
        (
            ["procedure.priorities.alpha: 1.0", "targets.value: null", "losses.value: null"],
            ["priorities", "`targets.value`", "n_step", "outcome"],
        ),
        (
            ["procedure.sequence_length: 50", "procedure.temperature.sampled_actions: 10"],
            ["sequence_length", "`temperature.sampled_actions`", "null"],
        ),
    ],
    ids=["no symmetry", "true state", "nothing replaced", "no value target", "moves counted"],
)  # fmt: skip
def test_option_without_effect_is_reported_with_a_remedy(
    lines: list[str], shown_messages: list[str]
) -> None:
    problems = problems_of("\n".join(["preset: muzero", *lines]) + "\n")
    matching = [p for p in problems if all(part in p for part in shown_messages)]
    assert len(matching) == 1, problems


@pytest.mark.parametrize(
    "option",
    ["temperature.sampled_actions: -1", "priorities.alpha: -0.5", "priorities.alpha: 1.5",
     "priorities.epsilon: 0.0", "reanalyse.ratio: -1.0", "target_every: -1", "memory_mb: -1.0",
     "sequence_length: -1"],
)  # fmt: skip
def test_number_out_of_range_is_reported(option: str) -> None:
    key = option.split(":")[0]
    (problem,) = problems_of(f"preset: muzero\nprocedure.{option}\n")
    assert f"procedure.{key}" in problem


@pytest.mark.parametrize(("fraction", "step"), [(0.0, 0.5), (0.5, 0.05), (1.0, 0.005)])
def test_learning_rate_decays_exponentially_with_progress(fraction: float, step: float) -> None:
    weight = torch.zeros(1, requires_grad=True)
    settings = OptimiserConfig(
        name="sgd", learning_rate=0.5, learning_rate_decay=0.01, weight_decay=0.0
    )
    optimisers = Optimisers({"all": ([weight], settings)})
    optimisers.set_learning_rates(fraction)
    optimisers.step("all", 2 * weight.sum())
    assert float(weight.detach()) == pytest.approx(-2 * step)
