"""Board games: equality with OpenSpiel, player-relative observations, and symmetries."""

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
from workbench.environments.games.game_info import game_string
from workbench.environments.gomoku import Gomoku
from workbench.environments.hex import Hex
from workbench.environments.openspiel import OpenSpiel
from workbench.environments.othello import Othello
from workbench.errors import ConfigError, SourceLocation

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
    return pyspiel.load_game(game_string(*config._game()))


@pytest.mark.parametrize("config", ALL, ids=named)
def test_spec_equals_openspiel(config: EnvironmentConfig) -> None:
    spec, game = config.spec(), game_of(config)
    assert spec.actions == game.num_distinct_actions()
    assert spec.horizon == game.max_game_length()
    assert spec.bounds == (game.min_utility(), game.max_utility())
    environment = config.build()
    state = environment.reset(2, Generator())
    assert environment.observe(state).shape[1:] == spec.observation
    assert environment.observe(state).dtype in (torch.bool, torch.float32)
    assert len(spec.action_planes) in (0, spec.actions)


@pytest.mark.parametrize("config", ALL, ids=named)
@pytest.mark.parametrize("cache_size", [openspiel_environment.CACHE_SIZE, 3])
def test_batch_equals_separate_openspiel_games(
    config: EnvironmentConfig, cache_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openspiel_environment, "CACHE_SIZE", cache_size)
    environment, game, g = config.build(), game_of(config), Generator().manual_seed(1)
    singles = [game.new_initial_state() for _ in range(4)]
    state = environment.reset(4, g)
    for _ in range(40):
        legal = environment.legal(state)
        for row, one in enumerate(singles):
            assert legal[row].nonzero().flatten().tolist() == one.legal_actions()
        over = torch.tensor([one.is_terminal() for one in singles])
        action = torch.multinomial(legal.float() + over[:, None], 1, generator=g).squeeze(1)
        state, transition = environment.step(state, action, g)
        for row, one in enumerate(singles):
            if over[row]:
                assert (transition.reward[row], transition.discount[row]) == (0, 0)
                assert transition.terminated[row]
                continue
            player = one.current_player()
            one.apply_action(int(action[row]))
            assert transition.reward[row] == one.player_reward(player)
            assert bool(transition.terminated[row]) == one.is_terminal()
            assert transition.discount[row] == (0 if one.is_terminal() else -1)
            if not one.is_terminal():
                assert one.current_player() == 1 - player
        assert not transition.truncated.any()
        assert [str(s) for s in environment.openspiel_states(state)] == [
            str(one) for one in singles
        ]


def pieces(config: BoardConfig, state: Any) -> list[list[str]]:
    """Return the cells of a printed board, top row first."""
    rows = [line for line in str(state).splitlines() if line.strip()]
    if isinstance(config, Othello):
        rows = [line[2:-1] for line in rows if line[0].isdigit()]
    if isinstance(config, Breakthrough):
        rows = [line[1:] for line in rows if line[0].isdigit()]
    return [[c for c in line if c in "xo.-bw"] for line in rows]


@pytest.mark.parametrize("config", BOARDS, ids=named)
def test_observations_show_the_pieces_of_the_player_to_move_first(config: BoardConfig) -> None:
    environment, g = config.build(), Generator().manual_seed(4)
    state = environment.reset(1, g)
    first = "b" if isinstance(config, Breakthrough) else "x"
    for ply in range(7):
        (game_state,) = environment.openspiel_states(state)
        if game_state.is_terminal():
            break
        board = pieces(config, game_state)
        if isinstance(config, ConnectFour):
            board = board[::-1]  # row 0 is at the bottom
        own = first if ply % 2 == 0 else {"b": "w", "x": "o"}[first]
        planes = environment.observe(state)[0]
        for y, row in enumerate(board):
            for x, piece in enumerate(row):
                plane = 2 if piece in ".-" else 0 if piece == own else 1
                assert planes[:3, y, x].int().tolist() == [int(i == plane) for i in range(3)]
        if len(planes) == 4:
            assert (planes[3] == (ply % 2 == 1)).all()
        action = torch.multinomial(environment.legal(state).float(), 1, generator=g).squeeze(1)
        state, _ = environment.step(state, action, g)


@pytest.mark.parametrize("config", BOARDS, ids=named)
def test_rules_are_invariant_under_the_symmetries(config: BoardConfig) -> None:
    """Transformed moves give transformed observations and legal moves, and the same reward.

    Half of the symmetries of Othello swap the colours of the initial position. These are skipped.
    """
    spec, environment, g = config.spec(), config.build(), Generator().manual_seed(5)
    start = environment.observe(environment.reset(1, g)).flatten(2)
    checked_symmetries = 0
    for symmetry in spec.symmetries:
        cells, actions = list(symmetry.cells), torch.tensor(symmetry.actions)
        assert sorted(cells) == list(range(len(cells)))
        assert sorted(symmetry.actions) == list(range(spec.actions))
        if not torch.equal(start[..., cells], start):
            assert isinstance(config, Othello)
            continue
        checked_symmetries += 1
        state = transformed = environment.reset(1, g)
        for _ in range(80):
            legal = environment.legal(state)
            if not legal.any():
                break
            action = torch.multinomial(legal.float(), 1, generator=g).squeeze(1)
            state, transition = environment.step(state, action, g)
            transformed, other = environment.step(transformed, actions[action], g)
            expected = environment.observe(state).flatten(2)[..., cells]
            assert torch.equal(expected, environment.observe(transformed).flatten(2))
            assert torch.equal(
                environment.legal(state)[0], environment.legal(transformed)[0, actions]
            )
            assert torch.equal(transition.reward, other.reward)
    assert checked_symmetries >= 2 if spec.actions != 65 else checked_symmetries == 4


def test_action_planes_mark_the_cells_that_a_move_changes() -> None:
    for config in BOARDS:
        environment, spec, g = config.build(), config.spec(), Generator().manual_seed(6)
        state = environment.reset(1, g)
        for _ in range(12):
            legal = environment.legal(state)
            if not legal.any():
                break
            action = torch.multinomial(legal.float(), 1, generator=g).squeeze(1)
            before = occupied(environment.observe(state))
            state, _ = environment.step(state, action, g)
            after = occupied(environment.observe(state))
            marked = {cell for _, cell in spec.action_planes[int(action)]}
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


def test_hex_graph_has_the_adjacency_of_openspiel() -> None:
    """Check that a game is won exactly if neighbours connect the two sides of a player."""
    size, rng = 3, random.Random(1)
    adjacent = {cell: set() for cell in range(size**2)}  # type: ignore[var-annotated]
    for a, b in Hex(size=size).spec().graphs["neighbours"].edges:
        adjacent[a].add(b)
    assert sorted(len(n) for n in adjacent.values()) == [2, 2, 3, 3, 4, 4, 4, 4, 6]
    game = pyspiel.load_game(f"hex(board_size={size})")
    for _ in range(200):
        state = game.new_initial_state()
        stones: list[set[int]] = [set(), set()]
        while not state.is_terminal():
            player, action = state.current_player(), rng.choice(state.legal_actions())
            stones[player].add(action)
            state.apply_action(action)
            won = [score == 1 for score in state.returns()]
            assert connected(stones[0], adjacent, lambda c: c // size, size) == won[0]
            assert connected(stones[1], adjacent, lambda c: c % size, size) == won[1]


def connected(stones: set[int], adjacent: Any, coordinate: Any, size: int) -> bool:
    """Return whether the stones connect the cells of the first and the last coordinate."""
    reached = {cell for cell in stones if coordinate(cell) == 0}
    while True:
        more = {n for cell in reached for n in adjacent[cell] & stones} | reached
        if more == reached:
            return any(coordinate(cell) == size - 1 for cell in reached)
        reached = more


def test_illegal_action_raises_with_its_rows() -> None:
    environment, g = ConnectFour(rows=4, columns=4).build(), Generator()
    state = environment.reset(2, g)
    for _ in range(4):
        state, _ = environment.step(state, torch.tensor([0, _ % 4]), g)
    with pytest.raises(ValueError, match=r"rows \[0\]"):
        environment.step(state, torch.tensor([0, 1]), g)


def test_after_moves_returns_the_states_after_the_moves() -> None:
    environment = ConnectFour().build()
    state = environment.after_moves([[3, 3, 4], []])
    expected = pyspiel.load_game("connect_four").new_initial_state()
    for move in (3, 3, 4):
        expected.apply_action(move)
    assert str(environment.openspiel_states(state)[0]) == str(expected)
    assert environment.legal(state)[1].all()


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"game": "conect_four"}, "did you mean 'connect_four'"),
        ({"game": "backgammon"}, "no chance"),
        ({"game": "leduc_poker"}, "perfect information"),
        ({"game": "oshi_zumo"}, "sequential moves"),
        ({"game": "dots_and_boxes"}, "twice in a row"),
        ({"game": "chinese_checkers", "parameters": {"players": 3}}, "two players"),
        ({"game": "connect_four", "parameters": {"row": 3}}, "did you mean 'rows'"),
        ({"game": "connect_four", "parameters": {"rows": "six"}}, "of type int, found 'six'"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_unsupported_game_is_rejected_when_read(environment: Any, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_trial(
            wrap(
                {
                    "preset": "muzero",
                    "environment": {"name": "openspiel", **environment},
                    "measures": {"predictive": None, "decision": None},
                },
                SourceLocation("test"),
            )
        )
    assert message in str(raised.value)
    assert str(raised.value).count(message) == 1


@pytest.mark.parametrize("config", [{"size": 1}, {"size": 4, "in_line": 5}])
def test_invalid_board_is_rejected(config: Any) -> None:
    with pytest.raises(ValueError, match=r"in_line|greater"):
        Gomoku(**config)


def test_openspiel_tensor_is_that_of_the_player_to_move_with_a_player_plane() -> None:
    environment, g = OpenSpiel(game="connect_four").build(), Generator().manual_seed(1)
    state = environment.reset(1, g)
    for ply in range(5):
        (game_state,) = environment.openspiel_states(state)
        tensor = np.asarray(game_state.observation_tensor(ply % 2)).reshape(3, 6, 7)
        planes = environment.observe(state)[0]
        assert np.array_equal(planes[:3].numpy(), tensor)
        assert (planes[3] == ply % 2).all()
        state, _ = environment.step(state, torch.tensor([ply]), g)
