"""Control problems: step by step as Gymnasium's, and as pure functions of a state."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from scipy.stats import kstest
from torch import Generator, Tensor

from workbench.environments.acrobot import Acrobot
from workbench.environments.cartpole import CartPole
from workbench.environments.mountain_car import MountainCar
from workbench.types import gather

WORLDS: dict[str, Any] = {
    "CartPole-v1": CartPole,
    "MountainCar-v0": MountainCar,
    "Acrobot-v1": Acrobot,
}
each = pytest.mark.parametrize(("name", "config"), WORLDS.items(), ids=WORLDS)


def put(name: str, state: Tensor) -> Any:
    """Gymnasium's world in the state of row 0."""
    world: Any = gymnasium.make(name)
    world.reset(seed=0)
    begun = state[0, :-1].numpy().copy()
    world.unwrapped.state = begun
    return world


@each
def test_what_is_stated_is_what_the_library_has(name: str, config: Any) -> None:
    spec, world = config().spec(), gymnasium.make(name)
    assert spec.observation == world.observation_space.shape
    assert spec.actions == world.action_space.n  # type: ignore[attr-defined]
    assert spec.horizon == world.spec.max_episode_steps  # type: ignore[union-attr]
    assert spec.copyable


@each
def test_every_step_is_the_library_s(name: str, config: Any) -> None:
    """Thousands of random steps from the same starts, up to and past the end or the limit."""
    worlds, g = config(discount=0.9).build(), Generator().manual_seed(3)
    sizes = np.array(config().scale, np.float32)
    taken = 0
    while taken < 3000:
        state = worlds.reset(1, g)
        world = put(name, state)
        ended = cut = False
        while not (ended or cut):
            action = torch.randint(worlds.spec.actions, (1,), generator=g)
            state, transition = worlds.step(state, action, g)
            shown, reward, ended, cut, _ = world.step(int(action))
            numbers = np.asarray(world.unwrapped.state)
            # The same operations in double precision; sines and squares may differ in a last bit.
            assert np.allclose(state[0, :-1].numpy(), numbers, rtol=1e-9, atol=1e-7)
            seen = worlds.observe(state)[0]
            assert seen.dtype == torch.float32
            assert np.allclose(seen.numpy() * sizes, shown, rtol=1e-6, atol=1e-6)
            assert float(transition.reward) == reward
            assert bool(transition.terminated) == ended
            assert bool(transition.truncated) == (cut and not ended)
            assert float(transition.discount) == pytest.approx(0.0 if ended else 0.9)
            taken += 1


@pytest.mark.parametrize(
    ("name", "speed", "sign"), [("MountainCar-v0", 1, 1.0), ("Acrobot-v1", 2, -1.0)]
)
def test_what_is_swung_up_arrives_when_the_library_s_does(
    name: str, speed: int, sign: float
) -> None:
    """Pushed along with its motion: a torque on the elbow swings the shoulder the other way."""
    worlds, g = WORLDS[name]().build(), Generator().manual_seed(1)
    state = worlds.reset(1, g)
    world, ended, steps = put(name, state), False, 0
    while not ended:
        action = 2 if sign * float(state[0, speed]) >= 0 else 0
        state, transition = worlds.step(state, torch.tensor([action]), g)
        _, reward, ended, _, _ = world.step(action)
        steps += 1
        assert bool(transition.terminated) == ended
        assert float(transition.reward) == reward
    assert 50 < steps < 199


@each
def test_episodes_begin_as_the_library_s_are_distributed(name: str, config: Any) -> None:
    worlds, world = config().build(), gymnasium.make(name)
    begun = worlds.reset(4000, Generator().manual_seed(5))
    assert (begun[:, -1] == 0).all()
    seen = np.stack([world.reset(seed=seed)[0] for seed in range(400)])
    shown = worlds.observe(begun).numpy() * np.array(config().scale, np.float32)
    for i in range(seen.shape[1]):
        assert kstest(seen[:, i], shown[:, i]).pvalue > 1e-4
    numbers = begun[:, :-1]
    varying = numbers[:, numbers.std(0) > 0]
    # Independent of each other: correlations of 4,000 have a standard deviation of 0.016.
    if varying.shape[1] > 1:
        apart = torch.corrcoef(varying.T) - torch.eye(varying.shape[1])
        assert float(apart.abs().max()) < 5 * 0.016


@each
def test_rows_stand_alone_and_the_past_can_be_stepped_again(name: str, config: Any) -> None:
    worlds, g = config().build(), Generator().manual_seed(7)
    past = worlds.reset(50, g)
    for _ in range(12):
        action = torch.randint(worlds.spec.actions, (50,), generator=g)
        kept = past.clone()
        then, transition = worlds.step(past, action, g)
        assert torch.equal(past, kept)
        order = torch.randperm(50, generator=g)[:9]
        again, some = worlds.step(gather(past, order), action[order], g)
        assert torch.equal(again, then[order])
        assert torch.equal(some.reward, transition.reward[order])
        past = then


@each
def test_what_has_ended_stays_and_gains_nothing(name: str, config: Any) -> None:
    worlds, g = config().build(), Generator()
    over = {
        "CartPole-v1": [0.0, 0.0, 0.3, 0.1],
        "MountainCar-v0": [0.55, 0.01],
        "Acrobot-v1": [3.0, 0.1, 1.0, 0.0],
    }
    state = torch.tensor([[*over[name], 17.0]], dtype=torch.float64)
    then, transition = worlds.step(state, torch.tensor([1]), g)
    assert torch.equal(then, state)
    assert (transition.reward.item(), transition.discount.item()) == (0.0, 0.0)
    assert (transition.terminated.item(), transition.truncated.item()) == (True, False)


def test_a_cut_is_no_end_and_no_wall() -> None:
    worlds, g = CartPole(max_steps=4, discount=0.5).build(), Generator().manual_seed(1)
    free = CartPole(discount=0.5).build()
    state = beyond = worlds.reset(3, g)
    for step in range(1, 7):
        action = torch.tensor([0, 1, 0]) if step % 2 else torch.tensor([1, 0, 1])
        state, transition = worlds.step(state, action, g)
        beyond, _ = free.step(beyond, action, g)
        assert transition.truncated.tolist() == [step >= 4] * 3
        assert not transition.terminated.any()
        assert transition.discount.tolist() == [0.5] * 3
        assert transition.reward.tolist() == [1.0] * 3
        assert torch.equal(state, beyond)


def test_an_end_at_the_limit_is_an_end() -> None:
    worlds, g = CartPole(max_steps=1).build(), Generator()
    falling = torch.tensor([[0.0, 0.0, 0.209, 3.0, 0.0]], dtype=torch.float64)
    _, transition = worlds.step(falling, torch.tensor([0]), g)
    assert (transition.terminated.item(), transition.truncated.item()) == (True, False)


def test_numbers_are_divided_by_their_sizes() -> None:
    state = torch.tensor([[1.0, 2.0, 0.1, 4.0, 0.0]], dtype=torch.float64)
    assert CartPole(scale=[1.0, 4.0, 0.1, 8.0]).build().observe(state).tolist() == [
        pytest.approx([1.0, 0.5, 1.0, 0.5])
    ]
