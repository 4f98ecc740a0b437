"""Pairs of lines, replayed by OpenSpiel; and models that remember the order of moves, or do not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.fakes import problems_of, trial
from tests.workbench.measures.exact_model import ExactModel
from workbench.environments.cartpole import CartPole
from workbench.environments.games.game_table import GameTableEnvironment
from workbench.errors import WorkbenchError
from workbench.measures.evaluation_sets.sequences import positions_of
from workbench.measures.prediction.transposition_gap import TranspositionGap, transpositions
from workbench.measures.transpositions import Transpositions
from workbench.trial import build
from workbench.types import EnvironmentSpec, Transition

GAP, VALUE_GAP = "predictive/transposition_gap", "predictive/transposition_value_gap"
PAIRS = 40


def readings(measure: TranspositionGap, model: ExactModel) -> dict[str, float | None]:
    return measure(model, None)  # type: ignore[arg-type]


def test_both_orders_are_legal_and_lead_to_the_same_position(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    pairs = transpositions(tic_tac_toe, tic_tac_toe.positions(), PAIRS)
    assert pairs.action.shape == (PAIRS, 3)
    known = set()
    for initial, moves in zip(pairs.state.tolist(), pairs.action.tolist(), strict=True):
        one, other = tic_tac_toe.openspiel_states(torch.tensor([initial, initial]))
        for move, also in zip(moves, reversed(moves), strict=True):
            one.apply_action(move)
            other.apply_action(also)
            assert not one.is_terminal()
            assert not other.is_terminal()
        assert str(one) == str(other)
        assert moves[0] != moves[2]
        known.add((initial, moves[1], frozenset(moves)))
    assert len(known) == PAIRS


def test_exact_model_has_no_transposition_gap(tic_tac_toe: GameTableEnvironment) -> None:
    model = ExactModel(tic_tac_toe, value=lambda state, code: state.float())
    measure = TranspositionGap(tic_tac_toe, tic_tac_toe.positions(), PAIRS)
    assert readings(measure, model) == {GAP: 0.0, VALUE_GAP: 0.0}
    assert measure.info().levels[GAP] == {"naive": 1.0, "oracle": 0.0}
    assert measure.info().counts[GAP] == [PAIRS]


def test_model_that_encodes_move_order_has_a_gap(tic_tac_toe: GameTableEnvironment) -> None:
    def count(observation: Tensor) -> Tensor:
        """The mover's stones, and a clock."""
        stones = observation[:, 0].flatten(1).sum(1).float()
        return torch.stack([stones, torch.zeros(len(stones))], 1)

    def later_moves_weigh_more(code: Tensor, action: Tensor) -> Tensor:
        clock = code[:, 1] + 1
        return torch.stack([code[:, 0] + clock * action, clock], 1)

    model = ExactModel(
        tic_tac_toe, count, later_moves_weigh_more, value=lambda state, code: code[:, 0] / 10
    )
    positions = tic_tac_toe.positions()
    row = readings(TranspositionGap(tic_tac_toe, positions, PAIRS), model)
    moves = transpositions(tic_tac_toe, positions, PAIRS).action.double()
    # (a + 2b + 3c) - (c + 2b + 3a) = 2 (c - a)
    square = float((4 * (moves[:, 2] - moves[:, 0]) ** 2).mean())
    stones = count(tic_tac_toe.observe(positions))[:, 0].double()
    assert row[GAP] == pytest.approx(square / (2 * float(stones.var(correction=0))))
    assert row[VALUE_GAP] == pytest.approx(square / 100)


def test_gap_of_a_constant_latent_is_undefined(tic_tac_toe: GameTableEnvironment) -> None:
    model = ExactModel(tic_tac_toe, lambda seen: torch.ones(len(seen), 3))
    row = readings(TranspositionGap(tic_tac_toe, tic_tac_toe.positions(), PAIRS), model)
    assert row == {GAP: None, VALUE_GAP: 0.0}


class Walk:
    """A plane without walls: a move adds 1 to one of two numbers."""

    spec = EnvironmentSpec("walk", (2,), 2)

    def step(
        self, state: Tensor, action: Tensor, generator: Generator
    ) -> tuple[Tensor, Transition]:
        count = len(action)
        never = torch.zeros(count, dtype=torch.bool)
        transition = Transition(torch.zeros(count), torch.ones(count), never, never)
        return state + torch.nn.functional.one_hot(action, 2), transition

    def observe(self, state: Tensor) -> Tensor:
        return state.float()

    def legal(self, state: Tensor) -> Tensor:
        return torch.ones(len(state), 2, dtype=torch.bool)


def test_two_actions_are_swapped_in_single_agent_environments() -> None:
    places = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    pairs = transpositions(Walk(), places, 100)  # type: ignore[arg-type]
    # From each of the nine places there is one pair: to the one side and up, or up and there.
    assert pairs.action.shape == (9, 2)
    assert bool((pairs.action.sum(1) == 1).all())
    assert len(pairs.state.unique(dim=0)) == 9


def test_transpositions_need_no_oracle() -> None:
    config = trial({}, base={"preset": "muzero_hex", "planner.simulations": 2})
    assert not [*Transpositions().incompatibilities(config)]
    parts = build(config)
    built_environment: Any = parts.environment
    pairs = transpositions(built_environment, positions_of(parts, 30), PAIRS)
    assert len(pairs.action) == PAIRS
    for game, moves in zip(
        built_environment.openspiel_states(pairs.state), pairs.action.tolist(), strict=True
    ):
        other = game.clone()
        for move, also in zip(moves, reversed(moves), strict=True):
            game.apply_action(move)
            other.apply_action(also)
        assert str(game) == str(other)
        assert not game.is_terminal()
    measure = Transpositions(pairs=PAIRS, positions=30).build(parts)
    assert measure(ExactModel(built_environment), None) == {GAP: 0.0, VALUE_GAP: 0.0}  # type: ignore[arg-type]


def test_environment_that_observes_history_is_rejected() -> None:
    seen = {"name": "history", "environment": {"name": "hex", "size": 4}, "frames": 2}
    (problem,) = problems_of(
        f"{{preset: muzero_hex, environment: {seen}, measures.transpositions: {{}}}}"
    )
    assert "'transpositions'" in problem
    assert "'history' as configured observes its history too" in problem


def test_environment_without_transpositions_is_reported() -> None:
    built_environment = CartPole().build()
    initial = built_environment.reset(50, Generator().manual_seed(1))
    with pytest.raises(WorkbenchError, match=r"'transpositions' .* environment 'cartpole'"):
        transpositions(built_environment, initial, PAIRS)
    problems = [
        *Transpositions().incompatibilities(trial({}, base={"preset": "efficientzero_like"}))
    ]
    assert len(problems) == 1
    assert "'transpositions' needs exact answers, or a two-player game" in problems[0]
    assert "'cartpole'" in problems[0]
