"""The oracle of Connect Four, compared with an independent search and with published results."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import torch
from torch import Generator

from tests.workbench.fakes import problems_of, trial
from workbench import extras
from workbench.environments.connect_four import ConnectFour
from workbench.environments.games.solved_connect_four import SolvedConnectFour
from workbench.errors import ConfigError

ROWS, COLUMNS = 6, 7
LINES = [
    sum(1 << ((y + i * dy) * COLUMNS + x + i * dx) for i in range(4))
    for y in range(ROWS)
    for x in range(COLUMNS)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1))
    if y + 3 * dy < ROWS and 0 <= x + 3 * dx < COLUMNS
]
MAX_SCORE = 100
"""Score of an immediate win in the independent search; a win in n moves scores n - 1 less."""


def won(board: int) -> bool:
    return any(board & line == line for line in LINES)


def dropped(own: int, other: int, column: int) -> int | None:
    """Return the player's pieces after a move; None if the column is full."""
    for y in range(ROWS):
        cell = 1 << (y * COLUMNS + column)
        if not (own | other) & cell:
            return own | cell
    return None


def move_score(
    own: int, other: int, column: int, low: int = -MAX_SCORE, high: int = MAX_SCORE
) -> int | None:
    """Return the alpha-beta score of a move in (low, high); None if the column is full."""
    after = dropped(own, other, column)
    if after is None:
        return None
    if won(after):
        return MAX_SCORE
    best = None
    alpha = -high - 1  # one move later, every score is one less
    for reply in range(COLUMNS):
        score = move_score(other, after, reply, alpha, -low + 1)
        if score is not None and (best is None or score > best):
            best, alpha = score, max(alpha, score)
            if best >= -low + 1:
                break
    return 0 if not best else -(best - 1 if best > 0 else best + 1)


def endgame(rng: random.Random, empty: int) -> tuple[list[int], int, int]:
    """Return random non-winning moves until `empty` cells are left, with own and other pieces."""
    while True:
        moves: list[int] = []
        own = other = 0
        while len(moves) < ROWS * COLUMNS - empty:
            after = {a: dropped(own, other, a) for a in range(COLUMNS)}
            quiet = [a for a, board in after.items() if board is not None and not won(board)]
            if not quiet:
                break
            moves.append(rng.choice(quiet))
            own, other = other, int(after[moves[-1]] or 0)
        else:
            return moves, own, other


@pytest.fixture(scope="module")
def environment() -> SolvedConnectFour:
    built = ConnectFour().build()
    assert isinstance(built, SolvedConnectFour)
    return built


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_endgame_values_equal_those_of_an_independent_search(gamma: float) -> None:
    environment = ConnectFour(discount=gamma).build()
    assert isinstance(environment, SolvedConnectFour)
    rng = random.Random(3)
    games = [endgame(rng, empty) for empty in range(1, 13) for _ in range(6)]
    state = environment.after_moves([moves for moves, _, _ in games])
    q, legal = environment.q(state), environment.legal(state)
    outcomes = set()
    for row, (_, own, other) in enumerate(games):
        for column in range(COLUMNS):
            score = move_score(own, other, column)
            assert bool(legal[row, column]) == (score is not None)
            if score is None:
                assert q[row, column] == -torch.inf
                continue
            moves_before_last = MAX_SCORE - abs(score)
            sign = (score > 0) - (score < 0)
            expected = sign * gamma**moves_before_last
            assert float(q[row, column]) == pytest.approx(expected, abs=1e-6)
            outcomes.add(sign)
    assert outcomes == {-1, 0, 1}
    # `value` calls the solver differently: with a null window, or for the score of the state.
    assert torch.allclose(environment.value(state), q.max(-1).values, atol=1e-6)


def test_initial_position_has_the_published_action_values(environment: SolvedConnectFour) -> None:
    # Allen 1988, Allis 1988: the first player wins, but only with the centre column.
    state = environment.reset(1, Generator())
    assert environment.q(state)[0].tolist() == [-1, -1, 0, 1, 0, -1, -1]
    # The first player wins with its 21st and last piece, which is move 41.
    assert environment.scores(state)[0].tolist() == [-2, -1, 0, 1, 0, -1, -2]


def test_action_value_is_minus_the_best_reply_beyond_the_opening_book(
    environment: SolvedConnectFour,
) -> None:
    # The solver searches before and after the 12-piece positions that its opening book contains.
    rng = random.Random(1)
    moves: list[int] = []
    own = other = 0
    while len(moves) < 14:
        after = {a: dropped(own, other, a) for a in range(COLUMNS)}
        moves.append(rng.choice([a for a, b in after.items() if b is not None and not won(b)]))
        own, other = other, int(after[moves[-1]] or 0)
    q = environment.q(environment.after_moves([moves[:n] for n in range(9, 15)]))
    for move, (before, after_move) in zip(moves[9:], pairwise(q), strict=True):
        assert float(before[move]) == -float(after_move.max())
    mirrored = environment.q(environment.after_moves([[6 - a for a in moves]]))[0]
    assert torch.equal(mirrored.flip(0), q[-1])
    # The outcome computed alone has the sign of the score.
    state = environment.after_moves([moves[:n] for n in range(9, 15)])
    assert torch.equal(q, environment.q_from_scores(state, environment.scores(state)))
    assert torch.equal(environment.value(state), q.max(-1).values)


def test_terminal_state_has_no_action_values_and_value_zero(environment: SolvedConnectFour) -> None:
    over = environment.after_moves([[0, 1, 0, 1, 0, 1, 0]])
    assert bool((environment.q(over) == -torch.inf).all())
    assert float(environment.value(over)) == 0.0


def test_other_sizes_have_no_oracle() -> None:
    assert ConnectFour().spec().oracle
    assert not ConnectFour().spec().enumerable
    for other in (ConnectFour(rows=5), ConnectFour(columns=8), ConnectFour(in_line=5)):
        assert not other.spec().oracle
        assert not hasattr(other.build(), "q")
    text = "preset: muzero\nenvironment: {name: connect_four, rows: 5}\n"
    message = "needs exact answers; environment 'connect_four' as configured has no oracle"
    assert [message in problem for problem in problems_of(text)] == [True]


def test_missing_solver_is_reported_for_measures_that_need_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find_spec = extras.find_spec
    monkeypatch.setattr(
        extras, "find_spec", lambda name: None if name == "bitbully" else find_spec(name)
    )
    with pytest.raises(ConfigError, match=r"muzero-workbench\[solver\]"):
        trial({"environment": {"name": "connect_four"}})
    measures = {"measures": {"predictive": None, "decision": None, "matches": {}}}
    config = trial({"environment": {"name": "connect_four"}, **measures})
    assert list(config.measures) == ["matches"]
