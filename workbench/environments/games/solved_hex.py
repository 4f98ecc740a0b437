"""Hex on boards of up to 16 cells, solved by the number of moves to the end of every position.

The winner hastens and the loser delays the end. There are no draws and the winner makes the last
move, so the parity of this number determines the winner.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from workbench.environments.games.openspiel_environment import MoveHistory, OpenSpielEnvironment
from workbench.types import SolvedEnvironment, max_value

MAX_CELLS = 16
"""Maximum number of cells of a solved board: 3^16 = 43,046,721 positions, one byte each."""


class SolvedHex(OpenSpielEnvironment, SolvedEnvironment):
    """Hex with exact action values."""

    @override
    def q(self, state: MoveHistory) -> Tensor:
        """Return the optimal action values [B, cells] for the player to move; -inf if illegal.

        A win or loss after n more moves has the value gamma^(n-1) or -gamma^(n-1).
        """
        size = self.spec.observation[-1]
        after = torch.from_numpy(
            _moves_after(moves_to_end(size), state.action.numpy(), state.length.numpy())
        )
        # The last of the `after` further moves wins. The current player makes it if that is even.
        q = torch.tensor(-self._discount, dtype=torch.float64) ** after.clamp(min=0)
        return q.float().masked_fill(after < 0, -torch.inf)

    @override
    def value(self, state: MoveHistory) -> Tensor:
        return max_value(self.q(state))


@cache
def moves_to_end(size: int) -> NDArray[np.uint8]:
    """Return the number of moves to the end of the game from every position; 0 if it is over.

    The result is [3^cells]. The index of a position has one base-3 digit per cell, the first cell's
    being the lowest: 0 empty, 1 first player, 2 second player. Entries of positions that cannot
    occur in a game are arbitrary.

    Raises:
        ValueError: the board has too many cells.
    """
    if size**2 > MAX_CELLS:
        raise ValueError(f"Hex is solved on boards of up to {MAX_CELLS} cells, found {size**2}")
    return _solve_backwards(size**2, _connected(size))


def _connected(size: int) -> NDArray[np.bool_]:
    """Return whether each bit set of stones connects top and bottom, or left and right.

    The result is [2, 2^cells]: row 0 for top and bottom, row 1 for left and right.
    """
    cells = size**2
    stones = np.arange(1 << cells)
    column = np.array([sum(1 << (y * size + x) for y in range(size)) for x in range(size)])
    row = (1 << size) - 1
    not_left, not_right = ~column[0], ~column[-1]
    connected = []
    for start, end in ((row, row << (size * (size - 1))), (column[0], column[-1])):
        reached = stones & start
        for _ in range(cells):  # the maximum length of a path
            adjacent = reached | reached << size | reached >> size
            adjacent |= (reached & not_right) << 1 | (reached & not_left) >> 1
            adjacent |= (reached & not_left) << (size - 1) | (reached & not_right) >> (size - 1)
            reached = adjacent & stones
        connected.append((reached & end) != 0)
    return np.stack(connected)


@njit(cache=True)
def _solve_backwards(cells: int, connected: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the number of moves to the end of the game from every position, both sides perfect.

    Backward induction: a stone increases the index of a position, so a pass in decreasing order of
    the index solves all successors of a position before the position itself.
    """
    power = 3 ** np.arange(cells)
    moves = np.zeros(3**cells, np.uint8)
    low = 3 ** (cells // 2)
    ones, twos = _stones(cells // 2)
    high_ones, high_twos = _stones(cells - cells // 2)
    for position in range(3**cells - 1, -1, -1):
        upper, lower = position // low, position % low
        first = high_ones[upper] << (cells // 2) | ones[lower]
        second = high_twos[upper] << (cells // 2) | twos[lower]
        player = _count(first) - _count(second)
        if not 0 <= player <= 1 or connected[0, first] or connected[1, second]:
            continue
        win, loss = 255, 0
        for cell in range(cells):
            if not (first | second) >> cell & 1:
                after = moves[position + (1 + player) * power[cell]]
                if after % 2 == 0:
                    win = min(win, after + 1)
                else:
                    loss = max(loss, after + 1)
        moves[position] = win if win < 255 else loss
    return moves


@njit(cache=True)
def _stones(cells: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bit sets of both players' stones by position index, each [3^cells]."""
    ones, twos = np.zeros(3**cells, np.int64), np.zeros(3**cells, np.int64)
    for position in range(3**cells):
        rest = position
        for cell in range(cells):
            digit = rest % 3
            ones[position] |= (digit == 1) << cell
            twos[position] |= (digit == 2) << cell
            rest //= 3
    return ones, twos


@njit(cache=True)
def _count(stones: int) -> int:
    """Return the number of bits set."""
    count = 0
    while stones:
        stones &= stones - 1
        count += 1
    return count


@njit(cache=True)
def _moves_after(
    moves: NDArray[np.uint8], action: NDArray[np.int32], length: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the number of moves to the end after each action, [B, cells]; -1 if illegal."""
    cells = action.shape[1]
    after = np.full((len(length), cells), -1, np.int64)
    for row in range(len(length)):
        position, occupied = 0, 0
        for ply in range(length[row]):
            position += (1 + ply % 2) * 3 ** action[row, ply]
            occupied |= 1 << action[row, ply]
        if moves[position] == 0:
            continue
        for cell in range(cells):
            if not occupied >> cell & 1:
                after[row, cell] = moves[position + (1 + length[row] % 2) * 3**cell]
    return after
