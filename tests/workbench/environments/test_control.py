"""Control problems: equality with Gymnasium step by step, and purity of `step`."""

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

CONFIGS: dict[str, Any] = {
    "CartPole-v1": CartPole,
    "MountainCar-v0": MountainCar,
    "Acrobot-v1": Acrobot,
}
every_problem = pytest.mark.parametrize(("name", "config"), CONFIGS.items(), ids=CONFIGS)


def gymnasium_at(name: str, state: Tensor) -> Any:
    """Return Gymnasium's environment in the state of row 0."""
    reference: Any = gymnasium.make(name)
    reference.reset(seed=0)
    reference.unwrapped.state = state[0, :-1].numpy().copy()
    return reference


@every_problem
def test_spec_equals_gymnasium(name: str, config: Any) -> None:
    spec, reference = config().spec(), gymnasium.make(name)
    assert spec.observation == reference.observation_space.shape
    assert spec.actions == reference.action_space.n  # type: ignore[attr-defined]
    assert spec.horizon == reference.spec.max_episode_steps  # type: ignore[union-attr]
    assert spec.cloneable


@every_problem
def test_every_step_equals_gymnasium(name: str, config: Any) -> None:
    """Take thousands of random steps from equal initial states, to termination or truncation."""
    environment, g = config(discount=0.9).build(), Generator().manual_seed(3)
    scale = np.array(config().scale, np.float32)
    taken = 0
    while taken < 3000:
        state = environment.reset(1, g)
        reference = gymnasium_at(name, state)
        ended = truncated = False
        while not (ended or truncated):
            action = torch.randint(environment.spec.actions, (1,), generator=g)
            state, transition = environment.step(state, action, g)
            observation, reward, ended, truncated, _ = reference.step(int(action))
            numbers = np.asarray(reference.unwrapped.state)
            # Both use float64, but sines and squares may differ in the last bit.
            assert np.allclose(state[0, :-1].numpy(), numbers, rtol=1e-9, atol=1e-7)
            observed = environment.observe(state)[0]
            assert observed.dtype == torch.float32
            assert np.allclose(observed.numpy() * scale, observation, rtol=1e-6, atol=1e-6)
            assert float(transition.reward) == reward
            assert bool(transition.terminated) == ended
            assert bool(transition.truncated) == (truncated and not ended)
            assert float(transition.discount) == pytest.approx(0.0 if ended else 0.9)
            taken += 1


@pytest.mark.parametrize(
    ("name", "speed", "sign"), [("MountainCar-v0", 1, 1.0), ("Acrobot-v1", 2, -1.0)]
)
def test_swing_up_terminates_at_the_same_step_as_gymnasium(
    name: str, speed: int, sign: float
) -> None:
    """Push in the direction of motion; torque at the elbow swings the shoulder the other way."""
    environment, g = CONFIGS[name]().build(), Generator().manual_seed(1)
    state = environment.reset(1, g)
    reference, ended, steps = gymnasium_at(name, state), False, 0
    while not ended:
        action = 2 if sign * float(state[0, speed]) >= 0 else 0
        state, transition = environment.step(state, torch.tensor([action]), g)
        _, reward, ended, _, _ = reference.step(action)
        steps += 1
        assert bool(transition.terminated) == ended
        assert float(transition.reward) == reward
    assert 50 < steps < 199


@every_problem
def test_initial_states_have_the_distribution_of_gymnasium(name: str, config: Any) -> None:
    environment, reference = config().build(), gymnasium.make(name)
    initial = environment.reset(4000, Generator().manual_seed(5))
    assert (initial[:, -1] == 0).all()
    expected = np.stack([reference.reset(seed=seed)[0] for seed in range(400)])
    observed = environment.observe(initial).numpy() * np.array(config().scale, np.float32)
    for i in range(expected.shape[1]):
        assert kstest(expected[:, i], observed[:, i]).pvalue > 1e-4
    numbers = initial[:, :-1]
    varying = numbers[:, numbers.std(0) > 0]
    # Independent variables: correlations of 4,000 samples have a standard deviation of 0.016.
    if varying.shape[1] > 1:
        correlation = torch.corrcoef(varying.T) - torch.eye(varying.shape[1])
        assert float(correlation.abs().max()) < 5 * 0.016


@every_problem
def test_rows_are_independent_and_past_states_can_be_stepped_again(name: str, config: Any) -> None:
    environment, g = config().build(), Generator().manual_seed(7)
    past = environment.reset(50, g)
    for _ in range(12):
        action = torch.randint(environment.spec.actions, (50,), generator=g)
        copy = past.clone()
        successor, transition = environment.step(past, action, g)
        assert torch.equal(past, copy)
        rows = torch.randperm(50, generator=g)[:9]
        again, repeated = environment.step(gather(past, rows), action[rows], g)
        assert torch.equal(again, successor[rows])
        assert torch.equal(repeated.reward, transition.reward[rows])
        past = successor


@every_problem
def test_terminal_states_do_not_change_and_have_reward_zero(name: str, config: Any) -> None:
    environment, g = config().build(), Generator()
    terminal = {
        "CartPole-v1": [0.0, 0.0, 0.3, 0.1],
        "MountainCar-v0": [0.55, 0.01],
        "Acrobot-v1": [3.0, 0.1, 1.0, 0.0],
    }
    state = torch.tensor([[*terminal[name], 17.0]], dtype=torch.float64)
    successor, transition = environment.step(state, torch.tensor([1]), g)
    assert torch.equal(successor, state)
    assert (transition.reward.item(), transition.discount.item()) == (0.0, 0.0)
    assert (transition.terminated.item(), transition.truncated.item()) == (True, False)


def test_truncation_is_not_termination_and_truncated_states_can_be_stepped() -> None:
    environment, g = CartPole(max_steps=4, discount=0.5).build(), Generator().manual_seed(1)
    unlimited = CartPole(discount=0.5).build()
    state = reference = environment.reset(3, g)
    for step in range(1, 7):
        action = torch.tensor([0, 1, 0]) if step % 2 else torch.tensor([1, 0, 1])
        state, transition = environment.step(state, action, g)
        reference, _ = unlimited.step(reference, action, g)
        assert transition.truncated.tolist() == [step >= 4] * 3
        assert not transition.terminated.any()
        assert transition.discount.tolist() == [0.5] * 3
        assert transition.reward.tolist() == [1.0] * 3
        assert torch.equal(state, reference)


def test_termination_at_the_time_limit_is_not_truncation() -> None:
    environment, g = CartPole(max_steps=1).build(), Generator()
    falling = torch.tensor([[0.0, 0.0, 0.209, 3.0, 0.0]], dtype=torch.float64)
    _, transition = environment.step(falling, torch.tensor([0]), g)
    assert (transition.terminated.item(), transition.truncated.item()) == (True, False)


def test_observations_are_divided_by_the_scale() -> None:
    state = torch.tensor([[1.0, 2.0, 0.1, 4.0, 0.0]], dtype=torch.float64)
    assert CartPole(scale=[1.0, 4.0, 0.1, 8.0]).build().observe(state).tolist() == [
        pytest.approx([1.0, 0.5, 1.0, 0.5])
    ]
