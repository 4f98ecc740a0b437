"""The table of tic-tac-toe, compared with OpenSpiel and an independent minimax."""

from __future__ import annotations

import numpy as np
import pyspiel
import pytest
import torch
from torch import Generator

from workbench.environments.games.game_table import GameTableEnvironment
from workbench.environments.games.graphs import eight_neighbours, lines
from workbench.environments.tic_tac_toe import TicTacToe
from workbench.measures.exact.decision_quality import losing_lines
from workbench.types import SolvedEnvironment

GAME = pyspiel.load_game("tic_tac_toe")


_values: dict[str, float] = {}


def solve(state: pyspiel.State) -> float:
    """Return the minimax value for the player to move; if terminal, for who would be next."""
    board = str(state)
    if board not in _values:
        if state.is_terminal():
            _values[board] = state.player_return(len(state.history()) % 2)
        else:
            _values[board] = max(-solve(state.child(a)) for a in state.legal_actions())
    return _values[board]


@pytest.fixture(scope="module")
def visited(tic_tac_toe: GameTableEnvironment) -> dict[int, pyspiel.State]:
    """Return OpenSpiel's state for each reachable state index of the environment.

    Both are traversed together, depth first, through all legal moves.
    """
    found: dict[int, pyspiel.State] = {}
    stack = [(0, GAME.new_initial_state())]
    while stack:
        index, state = stack.pop()
        if index in found:
            assert str(found[index]) == str(state)
            continue
        found[index] = state
        for action in state.legal_actions():
            successor, _ = tic_tac_toe.step(
                torch.tensor([index]), torch.tensor([action]), Generator()
            )
            stack.append((int(successor), state.child(action)))
    return found


def test_there_are_5478_states_of_which_4520_are_non_terminal(
    tic_tac_toe: GameTableEnvironment, visited: dict[int, pyspiel.State]
) -> None:
    assert len(visited) == 5478
    assert len({str(state) for state in visited.values()}) == 5478
    non_terminal = sorted(n for n, state in visited.items() if not state.is_terminal())
    assert len(non_terminal) == 4520
    assert tic_tac_toe.positions().tolist() == non_terminal


def test_action_values_equal_recursive_minimax(
    tic_tac_toe: GameTableEnvironment, visited: dict[int, pyspiel.State]
) -> None:
    for number, state in visited.items():
        q = tic_tac_toe.q(torch.tensor([number]))[0].tolist()
        legal = state.legal_actions()
        for action in range(9):
            expected = -solve(state.child(action)) if action in legal else -np.inf
            assert q[action] == expected, str(state)


def test_3191_positions_are_decisive(visited: dict[int, pyspiel.State]) -> None:
    action_values = [
        {solve(state.child(a)) for a in state.legal_actions()}
        for state in visited.values()
        if not state.is_terminal()
    ]
    assert sum(len(values) > 1 for values in action_values) == 3191


def test_random_games_equal_openspiel_move_by_move(tic_tac_toe: GameTableEnvironment) -> None:
    g, batch = Generator().manual_seed(4), 64
    state = tic_tac_toe.reset(batch, g)
    games = [GAME.new_initial_state() for _ in range(batch)]
    for _ in range(9):
        legal = tic_tac_toe.legal(state)
        for row, game in zip(legal, games, strict=True):
            moves = [] if game.is_terminal() else game.legal_actions()
            assert row.nonzero().flatten().tolist() == moves
        over = ~legal.any(1, keepdim=True)
        action = torch.multinomial((legal | over).float(), 1, generator=g).flatten()
        before = [game.is_terminal() for game in games]
        state, transition = tic_tac_toe.step(state, action, g)
        for b, game in enumerate(games):
            if before[b]:
                # A terminal state is absorbing.
                assert float(transition.reward[b]) == float(transition.discount[b]) == 0.0
                assert bool(transition.terminated[b])
                continue
            player = game.current_player()
            game.apply_action(int(action[b]))
            assert float(transition.reward[b]) == game.player_reward(player)
            assert float(transition.discount[b]) == (0.0 if game.is_terminal() else -1.0)
            assert bool(transition.terminated[b]) == game.is_terminal()
        assert not transition.truncated.any()
        observed = tic_tac_toe.observe(state)
        for b, game in enumerate(games):
            assert torch.equal(observed[b], planes_of(game))


def planes_of(game: pyspiel.State) -> torch.Tensor:
    """Return planes of own stones, opponent's stones and empty cells, from the printed board."""
    own, other = ("x", "o") if len(game.history()) % 2 == 0 else ("o", "x")
    board = str(game).replace("\n", "")
    planes = [[float(c == stone) for c in board] for stone in (own, other, ".")]
    return torch.tensor(planes).view(3, 3, 3)


def test_observations_show_the_stones_of_the_player_to_move_first(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    # The first player played 4, the second player 0, and the first player is to move.
    g = Generator()
    state = tic_tac_toe.reset(1, g)
    for action in (4, 0):
        state, _ = tic_tac_toe.step(state, torch.tensor([action]), g)
    own, other, empty = tic_tac_toe.observe(state)[0].flatten(1)
    assert own.nonzero().flatten().tolist() == [4]
    assert other.nonzero().flatten().tolist() == [0]
    assert empty.nonzero().flatten().tolist() == [1, 2, 3, 5, 6, 7, 8]


def test_illegal_action_raises_with_its_rows(tic_tac_toe: GameTableEnvironment) -> None:
    g = Generator()
    state, _ = tic_tac_toe.step(tic_tac_toe.reset(3, g), torch.tensor([0, 4, 8]), g)
    with pytest.raises(ValueError, match=r"illegal action in rows \[1\]"):
        tic_tac_toe.step(state, torch.tensor([1, 4, 0]), g)
    many = torch.tensor([4]).repeat(50)
    state, _ = tic_tac_toe.step(tic_tac_toe.reset(50, g), many, g)
    with pytest.raises(ValueError, match=r"rows \[0, 1, 2, 3, 4, 5, 6, 7, 8, 9\] and 40 more$"):
        tic_tac_toe.step(state, many, g)


def test_discount_is_minus_gamma_until_termination() -> None:
    environment = TicTacToe(discount=0.5).build()
    g = Generator()
    state = environment.reset(1, g)
    discounts = []
    for action in (0, 3, 1, 4, 2):
        state, transition = environment.step(state, torch.tensor([action]), g)
        discounts.append(float(transition.discount))
    assert discounts == [-0.5, -0.5, -0.5, -0.5, 0.0]
    # After 0, 3, 1 the second player's 4 lets the first win with 2, one step later: -0.5 * 1.
    state = environment.reset(1, g)
    for action in (0, 3, 1):
        state, _ = environment.step(state, torch.tensor([action]), g)
    assert float(environment.q(state)[0, 4]) == -0.5
    state, _ = environment.step(state, torch.tensor([4]), g)
    assert float(environment.q(state)[0, 2]) == 1.0


def test_neighbours_graph_has_20_edges_and_lines_graph_24() -> None:
    spec = TicTacToe().spec()
    for name, count in (("neighbours", 20), ("lines", 24)):
        edges = set(spec.graphs[name].edges)
        assert len({frozenset(e) for e in edges}) == count
        assert len(edges) == 2 * count == len(spec.graphs[name].edges)
        assert all((b, a) in edges for a, b in edges)


def test_edges_connect_adjacent_cells_and_cells_that_share_a_winning_line() -> None:
    adjacent = set(eight_neighbours(3, 3).edges)
    assert {b for a, b in adjacent if a == 4} == {0, 1, 2, 3, 5, 6, 7, 8}
    assert {b for a, b in adjacent if a == 0} == {1, 3, 4}
    wins = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]
    shared = {(a, b) for line in wins for a in line for b in line if a != b}
    assert set(lines(3, 3, 3).edges) == shared
    # On a 2 x 4 board all lines of length three lie in rows.
    assert set(lines(2, 4, 3).edges) == {
        (4 * y + a, 4 * y + b)
        for y in range(2)
        for a in range(4)
        for b in range(4)
        if a != b and abs(a - b) <= 2
    }


def count_losses(state: pyspiel.State, moves: dict[str, int], agent: int) -> int:
    """Return the number of lines that `agent` loses against all replies, by recursion."""
    if state.is_terminal():
        return int(state.player_return(agent) < 0)
    if state.current_player() == agent:
        return count_losses(state.child(moves[str(state)]), moves, agent)
    return sum(count_losses(state.child(a), moves, agent) for a in state.legal_actions())


@pytest.mark.parametrize("seed", range(4))
def test_losing_lines_of_random_policies_equal_a_recursive_count(
    tic_tac_toe: GameTableEnvironment, visited: dict[int, pyspiel.State], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    moves, table = {}, torch.full((5478,), -1)
    for number, state in sorted(visited.items()):
        if not state.is_terminal():
            moves[str(state)] = int(rng.choice(state.legal_actions()))
            table[number] = moves[str(state)]
    environment: SolvedEnvironment = tic_tac_toe
    for agent in (0, 1):
        expected = count_losses(GAME.new_initial_state(), moves, agent)
        assert expected > 0
        assert losing_lines(environment, lambda state: table[state], second=agent == 1) == expected


def test_perfect_play_loses_no_line(tic_tac_toe: GameTableEnvironment) -> None:
    def decide(state: torch.Tensor) -> torch.Tensor:
        return tic_tac_toe.q(state).argmax(-1)

    assert losing_lines(tic_tac_toe, decide, second=False) == 0
    assert losing_lines(tic_tac_toe, decide, second=True) == 0
