"""Forward-only environments: equality with the wrapped library, also after save and restore."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Generator

from tests.seams.conftest import run_in_two
from workbench.components import EnvironmentConfig
from workbench.config import TrialConfig, read_trial
from workbench.documents import wrap
from workbench.environments.atari import Atari
from workbench.environments.forward_only.simulator_environment import SimulatorEnvironment
from workbench.environments.gymnasium import Gymnasium
from workbench.environments.lunar_lander import LunarLander
from workbench.environments.minatar import CHANNELS, MINIMAL_ACTIONS, MinAtar
from workbench.errors import ConfigError, SourceLocation, WorkbenchError
from workbench.training import checkpoint
from workbench.trial import run_trial
from workbench.types import tree_leaves, tree_unflatten


def carts(**options: Any) -> Gymnasium:
    """Return the configuration of Gymnasium's CartPole."""
    return Gymnasium(id="CartPole-v1", **options)


FORWARD_ONLY: list[EnvironmentConfig] = [
    carts(),
    LunarLander(),
    *(MinAtar(game=game) for game in CHANNELS),  # type: ignore[arg-type]
    Atari(game="pong"),
    Gymnasium(id="CliffWalking-v1"),
]


def seeds(batch: int, seed: int) -> list[int]:
    numbers: list[int] = torch.randint(
        2**31, (batch,), generator=Generator().manual_seed(seed)
    ).tolist()
    return numbers


def test_spec_of_lunar_lander_equals_gymnasium() -> None:
    spec, reference = LunarLander().spec(), gymnasium.make("LunarLander-v3")
    assert spec.observation == reference.observation_space.shape
    assert spec.actions == reference.action_space.n  # type: ignore[attr-defined]
    assert spec.horizon == reference.spec.max_episode_steps  # type: ignore[union-attr]


@pytest.mark.parametrize("game", CHANNELS)
def test_spec_of_minatar_equals_the_library(game: Any) -> None:
    from minatar import Environment

    reference = Environment(game)
    assert (*reference.state_shape(),) == (10, 10, CHANNELS[game])
    assert list(MINIMAL_ACTIONS[game]) == reference.minimal_action_set()
    assert MinAtar(game=game, minimal_actions=False).spec().actions == reference.num_actions()


def test_batch_equals_separate_gymnasium_environments() -> None:
    scale = [1.0, 2.0, 0.1, 4.0]
    environment, g = carts(discount=0.9, scale=scale).build(), Generator().manual_seed(3)
    state = environment.reset(5, g)
    singles = [gymnasium.make("CartPole-v1") for _ in range(5)]
    observations = [one.reset(seed=s)[0] for one, s in zip(singles, seeds(5, 3), strict=True)]
    over = [False] * 5
    for _ in range(60):
        expected = np.stack(observations) / np.array(scale, np.float32)
        assert np.array_equal(environment.observe(state).numpy(), expected)
        action = torch.randint(2, (5,), generator=g)
        state, transition = environment.step(state, action, g)
        for row, one in enumerate(singles):
            if over[row]:
                assert (transition.reward[row], transition.discount[row]) == (0, 0)
                continue
            observations[row], reward, ended, truncated, _ = one.step(int(action[row]))
            over[row] = ended
            assert transition.reward[row] == reward
            assert bool(transition.terminated[row]) == ended
            assert not truncated
            assert transition.discount[row] == pytest.approx(0.0 if ended else 0.9)
    assert all(over)


def test_truncation_is_not_termination_and_truncated_states_do_not_change() -> None:
    environment, g = (
        carts(options={"max_episode_steps": 4}, discount=0.5).build(),
        Generator().manual_seed(1),
    )
    state = environment.reset(3, g)
    for _ in range(4):
        state, transition = environment.step(state, torch.tensor([0, 1, 0]), g)
    assert transition.truncated.all()
    assert not transition.terminated.any()
    assert transition.discount.tolist() == [0.5] * 3
    again, transition = environment.step(state, torch.tensor([0, 1, 0]), g)
    assert torch.equal(again.observation, state.observation)
    assert transition.reward.tolist() == [0.0] * 3
    assert transition.truncated.all()


def test_simulators_are_reused() -> None:
    environment, g = carts(options={"max_episode_steps": 2}).build(), Generator().manual_seed(1)
    for _ in range(4):
        state = environment.reset(3, g)
        assert sorted(state.slot.tolist()) == [0, 1, 2]
        for _ in range(2):
            state, _ = environment.step(state, torch.zeros(3, dtype=torch.int64), g)


def test_past_states_cannot_be_stepped() -> None:
    environment, g = carts().build(), Generator().manual_seed(1)
    past = environment.reset(2, g)
    environment.step(past, torch.tensor([0, 0]), g)
    with pytest.raises(ValueError, match="has been stepped since this state"):
        environment.step(past, torch.tensor([0, 0]), g)


@pytest.mark.parametrize(
    "config", FORWARD_ONLY, ids=lambda config: f"{config.component}-{getattr(config, 'game', '')}"
)
def test_restored_environments_continue_as_if_never_saved(config: Any, tmp_path: Path) -> None:
    environment, g = config.build(), Generator().manual_seed(2)
    state = environment.reset(3, g)

    def play(
        environment: SimulatorEnvironment, state: Any, steps: int, g: Generator
    ) -> tuple[Any, list[Any]]:
        tensors = []
        for _ in range(steps):
            action = torch.randint(environment.spec.actions, (3,), generator=g)
            state, transition = environment.step(state, action, g)
            tensors += [environment.observe(state), *tree_leaves(transition)]
        return state, tensors

    state, _ = play(environment, state, 15, g)
    saved = environment.save(state)
    contents = {"id": "", "schema": 0, "procedure": tree_leaves(saved)}
    checkpoint.save(tmp_path / "c.pt", contents)
    stored = checkpoint.load(tmp_path / "c.pt")
    assert stored is not None
    fresh = config.build()
    restored = fresh.restore(tree_unflatten(saved, stored["procedure"]))
    _, expected = play(environment, state, 40, Generator().manual_seed(9))
    _, found = play(fresh, restored, 40, Generator().manual_seed(9))
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert all(t.shape[1:] == config.spec().observation for t in expected[::5])


def test_restore_rejects_a_simulator_that_does_not_reproduce_its_episode() -> None:
    environment, g = carts().build(), Generator().manual_seed(2)
    state, _ = environment.step(environment.reset(1, g), torch.tensor([1]), g)
    saved = environment.save(state)
    saved.action[0, 0] = 0
    with pytest.raises(WorkbenchError, match="does not reproduce an episode"):
        carts().build().restore(saved)


def configure(**overrides: Any) -> TrialConfig:
    small: dict[str, Any] = {
        "preset": "muzero",
        "measures": {"predictive": None, "decision": None},
        "targets.value": "n_step",
        "model.prediction": {"name": "mlp", "value.kind": "scalar", "reward.kind": "scalar"},
        "planner.q_normalisation": "min_max",
        "planner.simulations": 4,
        "procedure.random_start.fraction": 0.0,
        "procedure.steps": 512,
        "procedure.parallel_environments": 8,
        "procedure.batch_size": 8,
        "procedure.warm_up": 64,
        "procedure.replay_ratio": 0.5,
        "evaluate_every": 8,
    }
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    return read_trial(wrap(small | dotted, SourceLocation("test")))


@pytest.mark.parametrize(
    "overrides",
    [
        {"environment": {"name": "cartpole", "max_steps": 30}},
        {
            "environment": {
                "name": "gymnasium",
                "id": "CartPole-v1",
                "options.max_episode_steps": 30,
            }
        },
        {"environment": "minatar", "model__representation": {"name": "cnn", "width": 4}},
    ],
    ids=["cartpole", "gymnasium", "minatar"],
)
def test_resumed_trial_equals_an_uninterrupted_one(overrides: Any, tmp_path: Path) -> None:
    config = configure(**overrides)
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    run_trial(config, whole)
    run_in_two(config, resumed)
    assert (whole / "metrics.jsonl").read_bytes() == (resumed / "metrics.jsonl").read_bytes()
    states: list[Any] = [checkpoint.load(f / "checkpoint.pt") for f in (whole, resumed)]
    first, second = (tree_leaves(s["procedure"]["learner"]["model"]) for s in states)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"environment": {"name": "gymnasium", "id": "CartPol-v1"}}, "did you mean 'CartPole-v1'"),
        ({"environment": {"name": "gymnasium", "id": "Pendulum-v1"}}, "one of 0..n-1"),
        ({"environment": {"name": "gymnasium", "id": "Blackjack-v1"}}, "allowed are a vector"),
        (
            {"environment": {"name": "gymnasium", "id": "CartPole-v1", "options": {"size": 3}}},
            "cannot make 'CartPole-v1'",
        ),
        ({"environment": {"name": "minatar", "game": "pong"}}, "'breakout'"),
        ({"environment": {"name": "atari", "game": "pomg"}}, "did you mean 'pong'"),
        (
            {"environment": "lunar_lander", "procedure.random_start.fraction": 0.5},
            "environment 'lunar_lander' is forward-only",
        ),
        (
            {"environment": {"name": "cartpole", "scale": [1.0]}},
            "'cartpole' has observations of shape [4]",
        ),
        ({"environment": {"name": "acrobot", "scale": [0.0] * 6}}, "numbers above 0"),
        (
            {"environment": {"name": "gymnasium", "id": "FrozenLake-v1", "scale": [1.0]}},
            "'gymnasium' has observations of shape [16]",
        ),
        ({"environment": "gymnasium", "model.dynamics": "true"}, "copied"),
        ({"environment": "cartpole", "model.representation": "cnn"}, "'cartpole'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_invalid_configurations_are_rejected_when_read(overrides: Any, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        configure(**overrides)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("environment", "package", "extra"),
    [
        ("gymnasium", "gymnasium", "control"),
        ("lunar_lander", "Box2D", "box2d"),
        ("minatar", "minatar", "minatar"),
        ("atari", "ale_py", "atari"),
    ],
)
def test_missing_package_is_reported_with_its_extra(
    environment: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == package else name)
    with pytest.raises(ConfigError, match=rf"pip install 'muzero-workbench\[{extra}\]'") as raised:
        configure(environment=environment)
    assert package in str(raised.value)
