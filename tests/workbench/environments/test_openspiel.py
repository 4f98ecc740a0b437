"""Board worlds: what OpenSpiel plays, seen by the mover, and turned as the rules allow."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyspiel
import pytest
import torch
from torch import Generator, Tensor

from workbench.components import EnvironmentConfig
from workbench.config import read_trial
from workbench.documents import wrap
from workbench.environments.breakthrough import Breakthrough
from workbench.environments.connect_four import ConnectFour
from workbench.environments.games import openspiel_environment
from workbench.environments.games.board_config import BoardConfig
from workbench.environments.gomoku import Gomoku
from workbench.environments.hex import Hex
from workbench.environments.openspiel import OpenSpiel
from workbench.environments.othello import Othello
from workbench.errors import ConfigError, Place

BOARDS: list[BoardConfig] = [
    ConnectFour(),
    ConnectFour(rows=4, columns=5, in_line=3),
    Hex(),
    Hex(size=3),
    Othello(),
    Breakthrough(),
    Breakthrough(rows=5, columns=4),
    Gomoku(size=6, in_line=4),
]
ALL: list[EnvironmentConfig] = [*BOARDS, OpenSpiel(), OpenSpiel(game="nim")]


def named(config: Any) -> str:
    return f"{config.component}-{'-'.join(str(v) for v in config.model_dump().values())}"


def game_of(config: Any) -> Any:
    if isinstance(config, OpenSpiel):
        return pyspiel.load_game(config.game)
    return pyspiel.load_game(openspiel_environment.game_string(*config._game()))


@pytest.mark.parametrize("config", ALL, ids=named)
def test_what_is_stated_is_what_openspiel_has(config: EnvironmentConfig) -> None:
    spec, game = config.spec(), game_of(config)
    assert spec.actions == game.num_distinct_actions()
    assert spec.horizon == game.max_game_length()
    assert spec.bounds == (game.min_utility(), game.max_utility())
    worlds = config.build()
    state = worlds.reset(2, Generator())
    assert worlds.observe(state).shape[1:] == spec.observation
    assert worlds.observe(state).dtype in (torch.bool, torch.float32)
    assert len(spec.marks) in (0, spec.actions)


@pytest.mark.parametrize("config", ALL, ids=named)
@pytest.mark.parametrize("cached", [openspiel_environment.CACHED, 3])
def test_a_batch_of_games_goes_as_openspiel_s_games(
    config: EnvironmentConfig, cached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openspiel_environment, "CACHED", cached)
    worlds, game, g = config.build(), game_of(config), Generator().manual_seed(1)
    singles = [game.new_initial_state() for _ in range(4)]
    state = worlds.reset(4, g)
    for _ in range(40):
        legal = worlds.legal(state)
        for row, one in enumerate(singles):
            assert legal[row].nonzero().flatten().tolist() == one.legal_actions()
        over = torch.tensor([one.is_terminal() for one in singles])
        action = torch.multinomial(legal.float() + over[:, None], 1, generator=g).squeeze(1)
        state, transition = worlds.step(state, action, g)
        for row, one in enumerate(singles):
            if over[row]:
                assert (transition.reward[row], transition.discount[row]) == (0, 0)
                assert transition.terminated[row]
                continue
            mover = one.current_player()
            one.apply_action(int(action[row]))
            assert transition.reward[row] == one.player_reward(mover)
            assert bool(transition.terminated[row]) == one.is_terminal()
            assert transition.discount[row] == (0 if one.is_terminal() else -1)
            if not one.is_terminal():
                assert one.current_player() == 1 - mover
        assert not transition.truncated.any()
        assert [str(w) for w in worlds.worlds(state)] == [str(one) for one in singles]


def pieces(config: BoardConfig, state: Any) -> list[list[str]]:
    """The cells of a printed board, top row first."""
    rows = [line for line in str(state).splitlines() if line.strip()]
    if isinstance(config, Othello):
        rows = [line[2:-1] for line in rows if line[0].isdigit()]
    if isinstance(config, Breakthrough):
        rows = [line[1:] for line in rows if line[0].isdigit()]
    return [[c for c in line if c in "xo.-bw"] for line in rows]


@pytest.mark.parametrize("config", BOARDS, ids=named)
def test_the_mover_sees_its_own_pieces_first(config: BoardConfig) -> None:
    worlds, g = config.build(), Generator().manual_seed(4)
    state = worlds.reset(1, g)
    first = "b" if isinstance(config, Breakthrough) else "x"
    for ply in range(7):
        (world,) = worlds.worlds(state)
        if world.is_terminal():
            break
        board = pieces(config, world)
        if isinstance(config, ConnectFour):
            board = board[::-1]  # row 0 is the lowest
        own = first if ply % 2 == 0 else {"b": "w", "x": "o"}[first]
        seen = worlds.observe(state)[0]
        for y, row in enumerate(board):
            for x, piece in enumerate(row):
                where = 2 if piece in ".-" else 0 if piece == own else 1
                assert seen[:3, y, x].int().tolist() == [int(i == where) for i in range(3)]
        if len(seen) == 4:
            assert (seen[3] == (ply % 2 == 1)).all()
        action = torch.multinomial(worlds.legal(state).float(), 1, generator=g).squeeze(1)
        state, _ = worlds.step(state, action, g)


@pytest.mark.parametrize("config", BOARDS, ids=named)
def test_a_turned_game_is_as_good_a_game(config: BoardConfig) -> None:
    """Turned moves on the turned board: turned pieces and moves, the same reward.

    Othello begins with a position that half of the turns give other colours; there the rules are
    followed from any position, by comparing the games where the beginning turns into itself.
    """
    spec, worlds, g = config.spec(), config.build(), Generator().manual_seed(5)
    start = worlds.observe(worlds.reset(1, g)).flatten(2)
    tried = 0
    for symmetry in spec.symmetries:
        cells, actions = list(symmetry.cells), torch.tensor(symmetry.actions)
        assert sorted(cells) == list(range(len(cells)))
        assert sorted(symmetry.actions) == list(range(spec.actions))
        if not torch.equal(start[..., cells], start):
            assert isinstance(config, Othello)
            continue
        tried += 1
        state = turned = worlds.reset(1, g)
        for _ in range(80):
            legal = worlds.legal(state)
            if not legal.any():
                break
            action = torch.multinomial(legal.float(), 1, generator=g).squeeze(1)
            state, told = worlds.step(state, action, g)
            turned, retold = worlds.step(turned, actions[action], g)
            seen = worlds.observe(state).flatten(2)[..., cells]
            assert torch.equal(seen, worlds.observe(turned).flatten(2))
            assert torch.equal(worlds.legal(state)[0], worlds.legal(turned)[0, actions])
            assert torch.equal(told.reward, retold.reward)
    assert tried >= 2 if spec.actions != 65 else tried == 4


def test_marks_show_where_a_move_changes_the_board() -> None:
    for config in BOARDS:
        worlds, spec, g = config.build(), config.spec(), Generator().manual_seed(6)
        state = worlds.reset(1, g)
        for _ in range(12):
            legal = worlds.legal(state)
            if not legal.any():
                break
            action = torch.multinomial(legal.float(), 1, generator=g).squeeze(1)
            before = occupied(worlds.observe(state))
            state, _ = worlds.step(state, action, g)
            after = occupied(worlds.observe(state))
            marked = {cell for _, cell in spec.marks[int(action)]}
            changed = set((before != after).nonzero().flatten().tolist())
            if isinstance(config, Breakthrough):
                assert changed <= marked
                assert len(marked) == 2
            elif isinstance(config, ConnectFour):
                assert len(changed & marked) == len(changed) == 1
            else:
                assert changed == marked


def occupied(observation: Tensor) -> Tensor:
    return ~observation[0, 2].flatten()


def test_hex_cells_have_the_neighbours_by_which_openspiel_joins_them() -> None:
    """A path of neighbours from edge to edge wins, whatever path, and nothing else does."""
    size, rng = 3, random.Random(1)
    near = {cell: set() for cell in range(size**2)}  # type: ignore[var-annotated]
    for a, b in Hex(size=size).spec().graphs["neighbours"].edges:
        near[a].add(b)
    assert sorted(len(n) for n in near.values()) == [2, 2, 3, 3, 4, 4, 4, 4, 6]
    game = pyspiel.load_game(f"hex(board_size={size})")
    for _ in range(200):
        state = game.new_initial_state()
        stones: list[set[int]] = [set(), set()]
        while not state.is_terminal():
            mover, action = state.current_player(), rng.choice(state.legal_actions())
            stones[mover].add(action)
            state.apply_action(action)
            assert joined(stones[0], near, lambda c: c // size, size) == (state.returns()[0] == 1)
            assert joined(stones[1], near, lambda c: c % size, size) == (state.returns()[1] == 1)


def joined(stones: set[int], near: Any, along: Any, size: int) -> bool:
    reached = {cell for cell in stones if along(cell) == 0}
    while True:
        more = {n for cell in reached for n in near[cell] & stones} | reached
        if more == reached:
            return any(along(cell) == size - 1 for cell in reached)
        reached = more


def test_an_illegal_move_names_its_rows() -> None:
    worlds, g = ConnectFour(rows=4, columns=4).build(), Generator()
    state = worlds.reset(2, g)
    for _ in range(4):
        state, _ = worlds.step(state, torch.tensor([0, _ % 4]), g)
    with pytest.raises(ValueError, match=r"rows \[0\]"):
        worlds.step(state, torch.tensor([0, 1]), g)


def test_the_state_after_given_moves() -> None:
    worlds = ConnectFour().build()
    state = worlds.after([[3, 3, 4], []])
    by_hand = pyspiel.load_game("connect_four").new_initial_state()
    for move in (3, 3, 4):
        by_hand.apply_action(move)
    assert str(worlds.worlds(state)[0]) == str(by_hand)
    assert worlds.legal(state)[1].all()


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"game": "conect_four"}, "did you mean 'connect_four'"),
        ({"game": "backgammon"}, "no chance"),
        ({"game": "leduc_poker"}, "no hidden information"),
        ({"game": "oshi_zumo"}, "moves by turns"),
        ({"game": "dots_and_boxes"}, "twice in a row"),
        ({"game": "chinese_checkers", "parameters": {"players": 3}}, "two players"),
        ({"game": "connect_four", "parameters": {"row": 3}}, "did you mean 'rows'"),
        ({"game": "connect_four", "parameters": {"rows": "six"}}, "of type int, found 'six'"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_game_that_does_not_fit_is_told_when_the_file_is_read(
    environment: Any, message: str
) -> None:
    with pytest.raises(ConfigError) as told:
        read_trial(
            wrap(
                {
                    "preset": "muzero",
                    "environment": {"name": "openspiel", **environment},
                    "measures": {"predictive": None, "decision": None},
                },
                Place("test"),
            )
        )
    assert message in str(told.value)
    assert str(told.value).count(message) == 1


@pytest.mark.parametrize("config", [{"size": 1}, {"size": 4, "in_line": 5}])
def test_a_board_that_makes_no_sense_is_refused(config: Any) -> None:
    with pytest.raises(ValueError, match=r"in_line|greater"):
        Gomoku(**config)


def test_the_general_tensor_is_the_mover_s_and_tells_who_that_is() -> None:
    worlds, g = OpenSpiel(game="connect_four").build(), Generator().manual_seed(1)
    state = worlds.reset(1, g)
    for ply in range(5):
        (world,) = worlds.worlds(state)
        tensor = np.asarray(world.observation_tensor(ply % 2)).reshape(3, 6, 7)
        seen = worlds.observe(state)[0]
        assert np.array_equal(seen[:3].numpy(), tensor)
        assert (seen[3] == ply % 2).all()
        state, _ = worlds.step(state, torch.tensor([ply]), g)
