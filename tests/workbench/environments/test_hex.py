"""The oracle of Hex against minimax over OpenSpiel's own states and against what is known."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyspiel
import pytest
import torch
from torch import Generator

from workbench.environments.games.openspiel_environment import Planes, SpielEnvironment, game_string
from workbench.environments.games.solved_hex import SolvedHex, moves_left
from workbench.environments.hex import Hex


def solved(size: int, gamma: float = 1.0) -> SolvedHex:
    """The solver's world of any size: small boards are played from tables otherwise."""
    config = Hex(size=size, discount=gamma)
    planes = Planes(**config._planes())
    return SolvedHex(config.spec(), game_string(*config._game()), planes, gamma)


def worth(state: Any, gamma: float, known: dict[str, float]) -> float:
    """Of a state to who is to move, by plain minimax; the loser of a game that is over has -1."""
    key = str(state)
    if key not in known:
        if state.is_terminal():
            known[key] = -1.0
        else:
            moves = [-worth(state.child(a), gamma, known) for a in state.legal_actions()]
            children = [state.child(a).is_terminal() for a in state.legal_actions()]
            known[key] = max(
                m if over else gamma * m for m, over in zip(moves, children, strict=True)
            )
    return known[key]


def worths(state: Any, gamma: float, known: dict[str, float]) -> list[float]:
    """Of every move."""
    found = [-np.inf] * state.num_distinct_actions()
    for action in state.legal_actions():
        child = state.child(action)
        later = 1.0 if child.is_terminal() else gamma
        found[action] = -later * worth(child, gamma, known)
    return found


def everything(size: int) -> list[Any]:
    """OpenSpiel's states of a board, each way to reach one position once."""
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
def test_every_position_of_a_small_board_is_worth_what_minimax_finds(
    size: int, gamma: float
) -> None:
    world, known = solved(size, gamma), {}  # type: ignore[var-annotated]
    states = everything(size)
    found = world.q(world.after([state.history() for state in states]))
    wanted = torch.tensor([worths(state, gamma, known) for state in states])
    assert torch.allclose(found, wanted)
    assert {state.is_terminal() for state in states} == {True, False}


@pytest.mark.parametrize("size", [2, 3])
def test_the_table_of_a_small_board_has_every_position_and_its_worth(size: int) -> None:
    table: Any = Hex(size=size, discount=0.9).build()
    known: dict[str, float] = {}
    going_on = {str(state) for state in everything(size) if not state.is_terminal()}
    listed = table.positions()
    worlds = table.worlds(listed)
    assert {str(state) for state in worlds} == going_on
    assert len(listed) == len(going_on)
    wanted = torch.tensor([worths(state, 0.9, known) for state in worlds])
    assert torch.allclose(table.q(listed), wanted)


def test_a_small_board_looks_from_its_table_as_it_does_from_openspiel() -> None:
    config, g = Hex(size=3), Generator().manual_seed(8)
    table, played = config.build(), solved(3)
    assert not isinstance(table, SpielEnvironment)
    here, there = table.reset(50, g), played.reset(50, g)
    for _ in range(9):
        assert torch.equal(table.observe(here), played.observe(there))
        legal = table.legal(here)
        assert torch.equal(legal, played.legal(there))
        action = torch.multinomial(legal.float() + ~legal.any(1)[:, None], 1, generator=g)[:, 0]
        here, told = table.step(here, action, g)
        there, retold = played.step(there, action, g)
        for name in ("reward", "discount", "terminated", "truncated"):
            assert torch.equal(getattr(told, name), getattr(retold, name))
    assert not table.legal(here).any()


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_late_positions_of_4x4_are_worth_what_minimax_finds(gamma: float) -> None:
    world: Any = Hex(size=4, discount=gamma).build()
    draw, known, states = random.Random(5), {}, []  # type: ignore[var-annotated]
    while len(states) < 60:
        state = pyspiel.load_game("hex(board_size=4)").new_initial_state()
        for _ in range(7 + len(states) % 6):
            if not state.is_terminal():
                state.apply_action(draw.choice(state.legal_actions()))
        states.append(state)
    found = world.q(world.after([state.history() for state in states]))
    wanted = torch.tensor([worths(state, gamma, known) for state in states])
    assert torch.allclose(found, wanted)
    winning = {w > 0 for row in wanted.tolist() for w in row if np.isfinite(w)}
    assert winning == {True, False}


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_first_player_wins_by_any_cell_of_the_short_diagonal(size: int) -> None:
    # That the first player wins is Nash's theft of strategy. By which cells of 4x4 is an exercise
    # of Mendelson's Introducing Game Theory and Its Applications, on a board that leans the other
    # way.
    world: Any = Hex(size=size).build()
    q = world.q(world.reset(1, Generator()))[0]
    diagonal = [y * size + size - 1 - y for y in range(size)]
    assert q[diagonal].tolist() == [1] * size


def test_a_board_turned_by_half_is_worth_the_same_move_by_move() -> None:
    world: Any = Hex(size=4, discount=0.9).build()
    draw = random.Random(2)
    games = [draw.sample(range(16), draw.randrange(8)) for _ in range(40)]
    turned = [[15 - move for move in game] for game in games]
    assert torch.equal(world.q(world.after(games)), world.q(world.after(turned)).flip(1))


def test_a_move_is_worth_what_the_best_reply_takes_from_the_beginning_on() -> None:
    world, g = Hex(size=4, discount=0.9).build(), Generator().manual_seed(4)
    assert isinstance(world, SolvedHex)
    state = world.reset(200, g)
    for _ in range(16):
        legal, q = world.legal(state), world.q(state)
        over = ~legal.any(1)
        action = torch.multinomial(legal.float() + over[:, None], 1, generator=g)
        state, told = world.step(state, action[:, 0], g)
        best = world.q(state).amax(1).masked_fill(told.terminated, 0)
        made = q.gather(1, action)[:, 0].masked_fill(over, 0)
        assert torch.allclose(made, told.reward + told.discount * best)


def test_a_board_too_large_to_be_solved_says_so() -> None:
    with pytest.raises(ValueError, match="up to 16 cells, found 25"):
        moves_left(5)
    spec = Hex(size=5).spec()
    assert not spec.oracle
    assert not spec.enumerable
