"""The oracle of Connect Four against a search of our own and against what is known."""

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
SOON = 100
"""What a win at once is worth to our own search; one that is n moves away is worth n - 1 less."""


def won(board: int) -> bool:
    return any(board & line == line for line in LINES)


def dropped(own: int, other: int, column: int) -> int | None:
    """The mover's pieces after a move; None where the column is full."""
    for y in range(ROWS):
        cell = 1 << (y * COLUMNS + column)
        if not (own | other) & cell:
            return own | cell
    return None


def worth(own: int, other: int, column: int, low: int = -SOON, high: int = SOON) -> int | None:
    """By alpha-beta within (low, high), to the mover; None for a full column."""
    after = dropped(own, other, column)
    if after is None:
        return None
    if won(after):
        return SOON
    best = None
    floor = -high - 1  # a step further away, everything is worth one less
    for reply in range(COLUMNS):
        answer = worth(other, after, reply, floor, -low + 1)
        if answer is not None and (best is None or answer > best):
            best, floor = answer, max(floor, answer)
            if best >= -low + 1:
                break
    return 0 if not best else -(best - 1 if best > 0 else best + 1)


def endgame(draw: random.Random, empty: int) -> tuple[list[int], int, int]:
    """Random moves that win nothing, to a board with so many empty cells; own and other pieces."""
    while True:
        moves: list[int] = []
        own = other = 0
        while len(moves) < ROWS * COLUMNS - empty:
            after = {a: dropped(own, other, a) for a in range(COLUMNS)}
            quiet = [a for a, board in after.items() if board is not None and not won(board)]
            if not quiet:
                break
            moves.append(draw.choice(quiet))
            own, other = other, int(after[moves[-1]] or 0)
        else:
            return moves, own, other


@pytest.fixture(scope="module")
def world() -> SolvedConnectFour:
    built = ConnectFour().build()
    assert isinstance(built, SolvedConnectFour)
    return built


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_endgames_are_worth_what_our_own_search_finds(gamma: float) -> None:
    world = ConnectFour(discount=gamma).build()
    assert isinstance(world, SolvedConnectFour)
    draw = random.Random(3)
    games = [endgame(draw, empty) for empty in range(1, 13) for _ in range(6)]
    state = world.after([moves for moves, _, _ in games])
    q, legal = world.q(state), world.legal(state)
    outcomes = set()
    for row, (_, own, other) in enumerate(games):
        for column in range(COLUMNS):
            found = worth(own, other, column)
            assert bool(legal[row, column]) == (found is not None)
            if found is None:
                assert q[row, column] == -torch.inf
                continue
            away = SOON - abs(found)
            sign = (found > 0) - (found < 0)
            assert float(q[row, column]) == pytest.approx(sign * gamma**away, abs=1e-6)
            outcomes.add(sign)
    assert outcomes == {-1, 0, 1}
    # Of a state alone, the solver is asked another question: a window of one value, or the score.
    assert torch.allclose(world.value(state), q.max(-1).values, atol=1e-6)


def test_the_centre_wins_its_neighbours_draw_and_the_others_lose(world: SolvedConnectFour) -> None:
    # Allen 1988, Allis 1988: the first player wins, and only by the middle column.
    state = world.reset(1, Generator())
    assert world.q(state)[0].tolist() == [-1, -1, 0, 1, 0, -1, -1]
    # The first player wins with the 21st and last of its pieces, the 41st move.
    assert world.scores(state)[0].tolist() == [-2, -1, 0, 1, 0, -1, -2]


def test_a_move_is_worth_what_the_best_reply_takes_where_the_opening_book_ends_too(
    world: SolvedConnectFour,
) -> None:
    # The book has positions of twelve pieces: before it searches, it looks up, it searches again.
    draw = random.Random(1)
    moves: list[int] = []
    own = other = 0
    while len(moves) < 14:
        after = {a: dropped(own, other, a) for a in range(COLUMNS)}
        moves.append(draw.choice([a for a, b in after.items() if b is not None and not won(b)]))
        own, other = other, int(after[moves[-1]] or 0)
    q = world.q(world.after([moves[:n] for n in range(9, 15)]))
    for move, (here, there) in zip(moves[9:], pairwise(q), strict=True):
        assert float(here[move]) == -float(there.max())
    mirrored = world.q(world.after([[6 - a for a in moves]]))[0]
    assert torch.equal(mirrored.flip(0), q[-1])
    # Who wins, sought alone, is the sign of how soon.
    state = world.after([moves[:n] for n in range(9, 15)])
    assert torch.equal(q, world.worth(state, world.scores(state)))
    assert torch.equal(world.value(state), q.max(-1).values)


def test_at_the_end_no_move_is_worth_anything(world: SolvedConnectFour) -> None:
    over = world.after([[0, 1, 0, 1, 0, 1, 0]])
    assert bool((world.q(over) == -torch.inf).all())
    assert float(world.value(over)) == 0.0


def test_other_sizes_have_no_oracle_and_say_so() -> None:
    assert ConnectFour().spec().oracle
    assert not ConnectFour().spec().enumerable
    for other in (ConnectFour(rows=5), ConnectFour(columns=8), ConnectFour(in_line=5)):
        assert not other.spec().oracle
        assert not hasattr(other.build(), "q")
    text = "preset: muzero\nenvironment: {name: connect_four, rows: 5}\n"
    told = "needs exact answers; environment 'connect_four' as configured has no oracle"
    assert [told in problem for problem in problems_of(text)] == [True]


def test_a_missing_solver_is_told_to_the_measures_that_need_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = extras.find_spec
    monkeypatch.setattr(
        extras, "find_spec", lambda name: None if name == "bitbully" else there(name)
    )
    with pytest.raises(ConfigError, match=r"muzero-workbench\[solver\]"):
        trial({"environment": {"name": "connect_four"}})
    only = {"measures": {"predictive": None, "decision": None, "matches": {}}}
    config = trial({"environment": {"name": "connect_four"}, **only})
    assert list(config.measures) == ["matches"]
