"""The oracle of Hex, compared with minimax over OpenSpiel's states and with known results."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyspiel
import pytest
import torch
from torch import Generator

from workbench.environments.games.game_info import game_string
from workbench.environments.games.openspiel_environment import BoardPlanes, OpenSpielEnvironment
from workbench.environments.games.solved_hex import SolvedHex, moves_to_end
from workbench.environments.hex import Hex


def solved(size: int, gamma: float = 1.0) -> SolvedHex:
    """Return a `SolvedHex` of any size, also of sizes for which `build` returns a table."""
    config = Hex(size=size, discount=gamma)
    planes = BoardPlanes(**config._planes())
    return SolvedHex(config.spec(), game_string(*config._game()), planes, gamma)


def minimax(state: Any, gamma: float, known: dict[str, float]) -> float:
    """Return the minimax value for the player to move; -1 for the loser of a finished game."""
    key = str(state)
    if key not in known:
        if state.is_terminal():
            known[key] = -1.0
        else:
            values = [-minimax(state.child(a), gamma, known) for a in state.legal_actions()]
            terminal = [state.child(a).is_terminal() for a in state.legal_actions()]
            known[key] = max(
                v if over else gamma * v for v, over in zip(values, terminal, strict=True)
            )
    return known[key]


def minimax_q(state: Any, gamma: float, known: dict[str, float]) -> list[float]:
    """Return the minimax values of all actions; -inf if illegal."""
    values = [-np.inf] * state.num_distinct_actions()
    for action in state.legal_actions():
        child = state.child(action)
        discount = 1.0 if child.is_terminal() else gamma
        values[action] = -discount * minimax(child, gamma, known)
    return values


def all_states(size: int) -> list[Any]:
    """Return OpenSpiel's states of all positions of a board, each position once."""
    found: dict[str, Any] = {}
    waiting = [pyspiel.load_game(f"hex(board_size={size})").new_initial_state()]
    while waiting:
        state = waiting.pop()
        if str(state) in found:
            continue
        found[str(state)] = state
        waiting += [state.child(action) for action in state.legal_actions()]
    return list(found.values())


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_action_values_of_all_positions_of_small_boards_equal_minimax(
    size: int, gamma: float
) -> None:
    environment, known = solved(size, gamma), {}  # type: ignore[var-annotated]
    states = all_states(size)
    found = environment.q(environment.after_moves([state.history() for state in states]))
    expected = torch.tensor([minimax_q(state, gamma, known) for state in states])
    assert torch.allclose(found, expected)
    assert {state.is_terminal() for state in states} == {True, False}


@pytest.mark.parametrize("size", [2, 3])
def test_table_of_a_small_board_lists_all_positions_with_minimax_values(size: int) -> None:
    table: Any = Hex(size=size, discount=0.9).build()
    known: dict[str, float] = {}
    non_terminal = {str(state) for state in all_states(size) if not state.is_terminal()}
    positions = table.positions()
    states = table.openspiel_states(positions)
    assert {str(state) for state in states} == non_terminal
    assert len(positions) == len(non_terminal)
    expected = torch.tensor([minimax_q(state, 0.9, known) for state in states])
    assert torch.allclose(table.q(positions), expected)


def test_table_and_openspiel_environment_of_a_small_board_are_equal() -> None:
    config, g = Hex(size=3), Generator().manual_seed(8)
    table, spiel = config.build(), solved(3)
    assert not isinstance(table, OpenSpielEnvironment)
    table_state, spiel_state = table.reset(50, g), spiel.reset(50, g)
    for _ in range(9):
        assert torch.equal(table.observe(table_state), spiel.observe(spiel_state))
        legal = table.legal(table_state)
        assert torch.equal(legal, spiel.legal(spiel_state))
        action = torch.multinomial(legal.float() + ~legal.any(1)[:, None], 1, generator=g)[:, 0]
        table_state, found = table.step(table_state, action, g)
        spiel_state, expected = spiel.step(spiel_state, action, g)
        for name in ("reward", "discount", "terminated", "truncated"):
            assert torch.equal(getattr(found, name), getattr(expected, name))
    assert not table.legal(table_state).any()


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_action_values_of_late_positions_of_4x4_equal_minimax(gamma: float) -> None:
    environment: Any = Hex(size=4, discount=gamma).build()
    rng, known, states = random.Random(5), {}, []  # type: ignore[var-annotated]
    while len(states) < 60:
        state = pyspiel.load_game("hex(board_size=4)").new_initial_state()
        for _ in range(7 + len(states) % 6):
            if not state.is_terminal():
                state.apply_action(rng.choice(state.legal_actions()))
        states.append(state)
    found = environment.q(environment.after_moves([state.history() for state in states]))
    expected = torch.tensor([minimax_q(state, gamma, known) for state in states])
    assert torch.allclose(found, expected)
    winning = {w > 0 for row in expected.tolist() for w in row if np.isfinite(w)}
    assert winning == {True, False}


@pytest.mark.parametrize("size", [2, 3, 4])
def test_first_player_wins_with_any_cell_of_the_short_diagonal(size: int) -> None:
    # The first player wins by Nash's strategy-stealing argument. The winning cells of 4x4 are an
    # exercise in Mendelson, Introducing Game Theory and Its Applications, on a mirrored board.
    environment: Any = Hex(size=size).build()
    q = environment.q(environment.reset(1, Generator()))[0]
    diagonal = [y * size + size - 1 - y for y in range(size)]
    assert q[diagonal].tolist() == [1] * size


def test_action_values_are_invariant_under_a_half_turn() -> None:
    environment: Any = Hex(size=4, discount=0.9).build()
    rng = random.Random(2)
    games = [rng.sample(range(16), rng.randrange(8)) for _ in range(40)]
    rotated = [[15 - move for move in game] for game in games]
    assert torch.equal(
        environment.q(environment.after_moves(games)),
        environment.q(environment.after_moves(rotated)).flip(1),
    )


def test_action_values_satisfy_the_bellman_equation_from_the_initial_position() -> None:
    environment, g = Hex(size=4, discount=0.9).build(), Generator().manual_seed(4)
    assert isinstance(environment, SolvedHex)
    state = environment.reset(200, g)
    for _ in range(16):
        legal, q = environment.legal(state), environment.q(state)
        over = ~legal.any(1)
        action = torch.multinomial(legal.float() + over[:, None], 1, generator=g)
        state, transition = environment.step(state, action[:, 0], g)
        best = environment.q(state).amax(1).masked_fill(transition.terminated, 0)
        taken = q.gather(1, action)[:, 0].masked_fill(over, 0)
        assert torch.allclose(taken, transition.reward + transition.discount * best)


def test_boards_above_16_cells_have_no_oracle() -> None:
    with pytest.raises(ValueError, match="up to 16 cells, found 25"):
        moves_to_end(5)
    spec = Hex(size=5).spec()
    assert not spec.oracle
    assert not spec.enumerable
