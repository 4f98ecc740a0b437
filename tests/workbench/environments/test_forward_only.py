"""Live worlds: exactly what the library shows, whatever is saved and brought back in between."""

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
from workbench.environments.forward_only.forward_only_environment import LiveWorlds
from workbench.environments.gymnasium import Gymnasium
from workbench.environments.lunar_lander import LunarLander
from workbench.environments.minatar import CHANNELS, MINIMAL, MinAtar
from workbench.errors import ConfigError, Place, WorkbenchError
from workbench.training import checkpoint
from workbench.trial import run_trial
from workbench.types import leaves, rebuild


def carts(**options: Any) -> Gymnasium:
    """CartPole as Gymnasium's own."""
    return Gymnasium(id="CartPole-v1", **options)


MANY: list[EnvironmentConfig] = [
    carts(),
    LunarLander(),
    *(MinAtar(game=game) for game in CHANNELS),  # type: ignore[arg-type]
    Atari(game="pong"),
    Gymnasium(id="CliffWalking-v1"),
]


def seeds(batch: int, seed: int) -> list[int]:
    drawn: list[int] = torch.randint(
        2**31, (batch,), generator=Generator().manual_seed(seed)
    ).tolist()
    return drawn


def test_what_is_stated_without_building_is_what_the_library_has() -> None:
    spec, world = LunarLander().spec(), gymnasium.make("LunarLander-v3")
    assert spec.observation == world.observation_space.shape
    assert spec.actions == world.action_space.n  # type: ignore[attr-defined]
    assert spec.horizon == world.spec.max_episode_steps  # type: ignore[union-attr]


@pytest.mark.parametrize("game", CHANNELS)
def test_minatar_states_its_planes_and_actions(game: Any) -> None:
    from minatar import Environment

    world = Environment(game)
    assert (*world.state_shape(),) == (10, 10, CHANNELS[game])
    assert list(MINIMAL[game]) == world.minimal_action_set()
    assert MinAtar(game=game, minimal_actions=False).spec().actions == world.num_actions()


def test_a_batch_of_carts_is_the_library_s_carts() -> None:
    sizes = [1.0, 2.0, 0.1, 4.0]
    worlds, g = carts(discount=0.9, scale=sizes).build(), Generator().manual_seed(3)
    state = worlds.reset(5, g)
    singles = [gymnasium.make("CartPole-v1") for _ in range(5)]
    shown = [one.reset(seed=s)[0] for one, s in zip(singles, seeds(5, 3), strict=True)]
    over = [False] * 5
    for _ in range(60):
        seen = np.stack(shown) / np.array(sizes, np.float32)
        assert np.array_equal(worlds.observe(state).numpy(), seen)
        action = torch.randint(2, (5,), generator=g)
        state, transition = worlds.step(state, action, g)
        for row, one in enumerate(singles):
            if over[row]:
                assert (transition.reward[row], transition.discount[row]) == (0, 0)
                continue
            shown[row], reward, ended, cut, _ = one.step(int(action[row]))
            over[row] = ended
            assert transition.reward[row] == reward
            assert bool(transition.terminated[row]) == ended
            assert not cut
            assert transition.discount[row] == pytest.approx(0.0 if ended else 0.9)
    assert all(over)


def test_a_cut_is_not_an_end_and_frees_its_simulator() -> None:
    worlds, g = (
        carts(options={"max_episode_steps": 4}, discount=0.5).build(),
        Generator().manual_seed(1),
    )
    state = worlds.reset(3, g)
    for _ in range(4):
        state, transition = worlds.step(state, torch.tensor([0, 1, 0]), g)
    assert transition.truncated.all()
    assert not transition.terminated.any()
    assert transition.discount.tolist() == [0.5] * 3
    again, transition = worlds.step(state, torch.tensor([0, 1, 0]), g)
    assert torch.equal(again.observation, state.observation)
    assert transition.reward.tolist() == [0.0] * 3
    assert transition.truncated.all()


def test_simulators_are_used_again() -> None:
    worlds, g = carts(options={"max_episode_steps": 2}).build(), Generator().manual_seed(1)
    for _ in range(4):
        state = worlds.reset(3, g)
        assert sorted(state.slot.tolist()) == [0, 1, 2]
        for _ in range(2):
            state, _ = worlds.step(state, torch.zeros(3, dtype=torch.int64), g)


def test_a_world_that_has_gone_on_cannot_be_stepped_from_its_past() -> None:
    worlds, g = carts().build(), Generator().manual_seed(1)
    past = worlds.reset(2, g)
    worlds.step(past, torch.tensor([0, 0]), g)
    with pytest.raises(ValueError, match="gone on"):
        worlds.step(past, torch.tensor([0, 0]), g)


@pytest.mark.parametrize(
    "config", MANY, ids=lambda config: f"{config.component}-{getattr(config, 'game', '')}"
)
def test_saved_worlds_go_on_as_if_never_stopped(config: Any, tmp_path: Path) -> None:
    worlds, g = config.build(), Generator().manual_seed(2)
    state = worlds.reset(3, g)

    def play(worlds: LiveWorlds, state: Any, moves: int, g: Generator) -> tuple[Any, list[Any]]:
        told = []
        for _ in range(moves):
            action = torch.randint(worlds.spec.actions, (3,), generator=g)
            state, transition = worlds.step(state, action, g)
            told += [worlds.observe(state), *leaves(transition)]
        return state, told

    state, _ = play(worlds, state, 15, g)
    form = worlds.save(state)
    checkpoint.save(tmp_path / "c.pt", {"state": leaves(form)})
    stored = checkpoint.load(tmp_path / "c.pt")
    assert stored is not None
    fresh = config.build()
    back = fresh.restore(rebuild(form, stored["state"]))
    _, on = play(worlds, state, 40, Generator().manual_seed(9))
    _, after = play(fresh, back, 40, Generator().manual_seed(9))
    assert all(torch.equal(a, b) for a, b in zip(on, after, strict=True))
    assert all(t.shape[1:] == config.spec().observation for t in on[::5])


def test_a_world_that_does_not_repeat_itself_is_told() -> None:
    worlds, g = carts().build(), Generator().manual_seed(2)
    state, _ = worlds.step(worlds.reset(1, g), torch.tensor([1]), g)
    saved = worlds.save(state)
    saved.action[0, 0] = 0
    with pytest.raises(WorkbenchError, match="does not repeat itself"):
        carts().build().restore(saved)


def configure(**overlay: Any) -> TrialConfig:
    small: dict[str, Any] = {
        "preset": "muzero",
        "measures": {"predictive": None, "decision": None},
        "targets.value": "n_step",
        "model.prediction": {"name": "mlp", "value.kind": "scalar", "reward.kind": "scalar"},
        "planner.q_normalisation": "min_max",
        "planner.simulations": 4,
        "procedure.opening.fraction": 0.0,
        "procedure.steps": 512,
        "procedure.games": 8,
        "procedure.batch": 8,
        "procedure.warm_up": 64,
        "procedure.replay_ratio": 0.5,
        "evaluate_every": 8,
    }
    dotted = {key.replace("__", "."): value for key, value in overlay.items()}
    return read_trial(wrap(small | dotted, Place("test")))


@pytest.mark.parametrize(
    "overlay",
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
def test_a_stopped_trial_ends_as_one_left_alone(overlay: Any, tmp_path: Path) -> None:
    config = configure(**overlay)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run_trial(config, whole)
    run_in_two(config, cut)
    assert (whole / "metrics.jsonl").read_bytes() == (cut / "metrics.jsonl").read_bytes()
    states: list[Any] = [checkpoint.load(f / "checkpoint.pt") for f in (whole, cut)]
    first, second = (leaves(s["procedure"]["learner"]["model"]) for s in states)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ({"environment": {"name": "gymnasium", "id": "CartPol-v1"}}, "did you mean 'CartPole-v1'"),
        ({"environment": {"name": "gymnasium", "id": "Pendulum-v1"}}, "one of 0..n-1"),
        ({"environment": {"name": "gymnasium", "id": "Blackjack-v1"}}, "observations can be"),
        (
            {"environment": {"name": "gymnasium", "id": "CartPole-v1", "options": {"size": 3}}},
            "cannot make 'CartPole-v1'",
        ),
        ({"environment": {"name": "minatar", "game": "pong"}}, "'breakout'"),
        ({"environment": {"name": "atari", "game": "pomg"}}, "did you mean 'pong'"),
        (
            {"environment": "lunar_lander", "procedure.opening.fraction": 0.5},
            "environment 'lunar_lander' can only go forward",
        ),
        ({"environment": {"name": "cartpole", "scale": [1.0]}}, "'cartpole' shows [4] numbers"),
        ({"environment": {"name": "acrobot", "scale": [0.0] * 6}}, "sizes above 0"),
        (
            {"environment": {"name": "gymnasium", "id": "FrozenLake-v1", "scale": [1.0]}},
            "'gymnasium' shows [16] numbers",
        ),
        ({"environment": "gymnasium", "model.dynamics": "true"}, "copied"),
        ({"environment": "cartpole", "model.representation": "cnn"}, "'cartpole'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_is_told_when_the_file_is_read(overlay: Any, message: str) -> None:
    with pytest.raises(ConfigError) as told:
        configure(**overlay)
    assert message in str(told.value)


@pytest.mark.parametrize(
    ("environment", "package", "extra"),
    [
        ("gymnasium", "gymnasium", "control"),
        ("lunar_lander", "Box2D", "box2d"),
        ("minatar", "minatar", "minatar"),
        ("atari", "ale_py", "atari"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    environment: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == package else name)
    with pytest.raises(ConfigError, match=rf"pip install 'muzero-workbench\[{extra}\]'") as told:
        configure(environment=environment)
    assert package in str(told.value)
