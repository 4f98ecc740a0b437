"""Imagined values against play in Gymnasium's own cart-pole, from the same states."""

from __future__ import annotations

from typing import Any

import gymnasium
import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.fakes import trial
from tests.workbench.measures.exact_model import ExactModel
from workbench.environments.cartpole import CartPole
from workbench.environments.games.openspiel_environment import OpenSpielEnvironment
from workbench.environments.hex import Hex
from workbench.measures.monte_carlo import MonteCarlo
from workbench.measures.prediction.return_error import ReturnError, Walks, random_walks
from workbench.trial import build
from workbench.types import Plan, tree_map

GAMMA, STATES, WALK, DEPTH = 0.9, 12, 15, 3
NAME = "predictive/return_error"


class Rightwards:
    """A planner that always pushes to the right."""

    differentiable = False

    def plan(
        self, model: Any, root: Any, legal: Tensor, generator: Generator, explore: bool = False
    ) -> Plan:
        policy = torch.tensor([[0.0, 1.0]]).expand(len(legal), 2)
        nothing = torch.zeros(len(legal))
        return Plan(policy, nothing, policy, policy, nothing)


@pytest.fixture(scope="module")
def environment() -> Any:
    return CartPole(discount=GAMMA).build()


@pytest.fixture(scope="module")
def walks(environment: Any) -> Walks:
    return random_walks(environment, STATES, WALK, DEPTH)


def gained(numbers: list[float], most: int) -> float:
    """The discounted return of pushing to the right, by Gymnasium."""
    with gymnasium.make("CartPole-v1") as env:
        env.reset(seed=0)
        env.unwrapped.state = numbers  # type: ignore[attr-defined]
        total, over = 0.0, False
        for step in range(most):
            if not over:
                _, reward, over, _, _ = env.step(1)
                total += GAMMA**step * float(reward)
    return total


@pytest.mark.parametrize("most", [4, 500])
def test_error_refers_to_the_discounted_return_from_the_true_state(
    most: int, environment: Any, walks: Walks
) -> None:
    guess = 3.0
    model = ExactModel(environment, value=lambda state, code: torch.full((len(code),), guess))
    row = ReturnError(environment, walks, most)(model, Rightwards())  # type: ignore[arg-type]
    means = []
    for k in range(DEPTH + 1):
        states = walks.state[walks.going[:, k], k, :4].tolist()
        squares = [(guess - gained(numbers, most)) ** 2 for numbers in states]
        means.append(sum(squares) / len(squares))
        assert row[f"{NAME}@{k}"] == pytest.approx(means[-1], rel=1e-4)
    assert row[NAME] == pytest.approx(sum(means) / len(means), rel=1e-4)


def test_model_that_predicts_its_own_returns_has_zero_error(environment: Any, walks: Walks) -> None:
    def foresee(state: Tensor, code: Tensor) -> Tensor:
        return torch.tensor([gained(numbers[:4], 500) for numbers in state.tolist()])

    row = ReturnError(environment, walks, 500)(ExactModel(environment, value=foresee), Rightwards())  # type: ignore[arg-type]
    for error in row.values():
        assert error == pytest.approx(0.0, abs=1e-6)


def test_states_are_initial_or_from_random_play_and_connected_by_the_actions(
    environment: Any, walks: Walks
) -> None:
    made = walks.state[:, 0, 4]
    assert not made[: STATES // 2].any()
    assert bool((made[STATES // 2 :] <= WALK).all())
    assert len(made[STATES // 2 :].unique()) > 2
    assert bool(walks.going[:, 0].all())
    for k in range(DEPTH):
        then, transition = environment.step(walks.state[:, k], walks.action[:, k], Generator())
        assert torch.equal(then, walks.state[:, k + 1])
        assert torch.equal(walks.going[:, k + 1], walks.going[:, k] & ~transition.terminated)


def test_states_after_the_end_of_an_episode_are_excluded(environment: Any) -> None:
    long = random_walks(environment, 30, WALK, 60)
    facts = ReturnError(environment, long, 500).info()
    counts = facts.counts[NAME]
    assert counts == long.going.sum(0).tolist()
    assert counts[0] == 30
    assert counts[-1] < 30
    assert counts == sorted(counts, reverse=True)
    row = ReturnError(environment, long, 5)(ExactModel(environment), Rightwards())  # type: ignore[arg-type]
    assert set(row) == {NAME, *(f"{NAME}@{k}" for k, many in enumerate(counts) if many)}


def test_states_do_not_depend_on_the_trial() -> None:
    base = {"preset": "efficientzero_like"}
    measures = [MonteCarlo(states=6).build(build(trial({"seed": s}, base=base))) for s in (1, 2)]
    torch.manual_seed(3)
    assert measures[0].info() == measures[1].info()
    other = MonteCarlo(states=7).build(build(trial({}, base=base)))
    assert other.info().digest != measures[0].info().digest


class Lowest:
    """A planner that always takes the legal move of the lowest number."""

    differentiable = False

    def plan(
        self, model: Any, root: Any, legal: Tensor, generator: Generator, explore: bool = False
    ) -> Plan:
        nothing = torch.zeros(len(legal))
        policy = (-torch.arange(legal.shape[1]).float()).masked_fill(~legal, -torch.inf)
        return Plan(policy, nothing, policy, policy, nothing)


def test_agent_plays_both_sides_of_a_two_player_game() -> None:
    environment = Hex(size=5, discount=GAMMA).build()
    assert isinstance(environment, OpenSpielEnvironment)
    walks = random_walks(environment, STATES, 12, DEPTH)

    def outcome(state: Any, off: float) -> Tensor:
        """OpenSpiel's return of the player to move if both take the lowest move."""
        found = []
        for game in environment.openspiel_states(state):
            mover, length = game.current_player(), 0
            while not game.is_terminal():
                game.apply_action(min(game.legal_actions()))
                length += 1
            sign = 0.0 if mover < 0 else game.player_return(mover)
            found.append(sign * GAMMA ** (length - 1) + off)
        return torch.tensor(found)

    initial = environment.observe(tree_map(lambda states: states[:, 0], walks.state)).flatten(1)
    assert len(torch.unique(initial, dim=0)) > STATES / 2  # not all where a game begins
    for off in (0.0, 0.5):
        model = ExactModel(environment, value=lambda state, code, off=off: outcome(state, off))  # type: ignore[misc]
        row = ReturnError(environment, walks, 500)(model, Lowest())  # type: ignore[arg-type]
        for k in range(DEPTH + 1):
            assert row[f"{NAME}@{k}"] == pytest.approx(off**2, abs=1e-6)
    assert not [*MonteCarlo().incompatibilities(trial({}, base={"preset": "muzero_hex"}))]


def test_environment_with_oracle_or_without_cloning_is_rejected() -> None:
    (problem,) = MonteCarlo().incompatibilities(trial())
    assert "'monte_carlo' is for single-agent environments" in problem
    assert "'tic_tac_toe'" in problem
    live = {"preset": "efficientzero_like", "environment": {"name": "gymnasium"}}
    (problem,) = MonteCarlo().incompatibilities(trial({}, base=live))
    assert "'monte_carlo' plays from given states" in problem
    assert "'gymnasium'" in problem
