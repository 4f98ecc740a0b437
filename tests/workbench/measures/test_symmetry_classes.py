"""Positions up to symmetry: tic-tac-toe by brute force."""

from __future__ import annotations

import torch

from workbench.environments.games.graphs import board_symmetries
from workbench.environments.tic_tac_toe import TicTacToe
from workbench.measures.exact.solved_positions import SolvedPositions
from workbench.measures.exact.symmetry_classes import symmetry_classes

Board = tuple[str, ...]
LINES = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]


def reachable(board: Board, to_move: str, found: set[Board]) -> None:
    """Collect every position that is not terminal and can be reached from `board`."""
    won = any(board[a] == board[b] == board[c] != "." for a, b, c in LINES)
    if won or "." not in board or board in found:
        return
    found.add(board)
    for cell in range(9):
        if board[cell] == ".":
            after = (*board[:cell], to_move, *board[cell + 1 :])
            reachable(after, "o" if to_move == "x" else "x", found)


def smallest_image(board: Board) -> Board:
    """Return the smallest of the eight boards after quarter turns and a reflection."""
    images = []
    for start in (board, tuple(board[3 * (i // 3) + 2 - i % 3] for i in range(9))):
        image = start
        for _ in range(4):
            image = tuple(image[3 * (2 - i % 3) + i // 3] for i in range(9))
            images.append(image)
    return min(images)


def test_tic_tac_toe_has_627_positions_up_to_symmetry() -> None:
    found: set[Board] = set()
    reachable((".",) * 9, "x", found)
    assert len(found) == 4520
    assert len({smallest_image(board) for board in found}) == 627
    environment = TicTacToe().build()
    positions = environment.positions()
    solved = SolvedPositions(environment, positions, environment.q(positions))
    assert len(solved) == 4520
    assert solved.n_classes == 627


def test_symmetry_class_is_the_first_equal_position() -> None:
    planes = torch.zeros(4, 1, 2, 2, dtype=torch.bool)
    for position, cell in enumerate((3, 0)):
        planes[position].view(-1)[cell] = True
    planes[2] = True
    assert symmetry_classes(planes, board_symmetries(2, 2)).tolist() == [0, 0, 2, 3]
    assert symmetry_classes(planes, ()).tolist() == [0, 1, 2, 3]
