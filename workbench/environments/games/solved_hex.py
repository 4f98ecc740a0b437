"""Hex on boards of up to 16 cells, every position solved: how many moves are left until the end.

No position is drawn and the winner makes the last move, so that the number of moves left, the
winner hurrying and the loser putting it off, tells by its parity who wins.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from workbench.environments.games.openspiel_environment import History, SpielEnvironment
from workbench.types import greatest

CELLS = 16
"""The most cells of a board that is solved: it has 3^16 = 43,046,721 colourings, a byte each."""


class SolvedHex(SpielEnvironment):
    """The game with the exact worth of every move."""

    def q(self, state: History) -> Tensor:
        """[B, cells] the exact worth of every move to the mover, -inf where it is illegal.

        A win or loss n moves ahead is worth gamma^(n-1), with its sign, to the mover.
        """
        size = self.spec.observation[-1]
        left = _after(moves_left(size), state.action.numpy(), state.length.numpy())
        after = torch.from_numpy(left)
        # The last of n further moves wins, and where n is even it is the mover's own.
        worth = torch.tensor(-self._discount, dtype=torch.float64) ** after.clamp(min=0)
        return worth.float().masked_fill(after < 0, -torch.inf)

    def value(self, state: History) -> Tensor:
        """[B] the greatest of `q`, 0 where the game is over."""
        return greatest(self.q(state))


@cache
def moves_left(size: int) -> NDArray[np.uint8]:
    """[3^cells] moves to the end of the game from every position, 0 where it has ended.

    A position's number has a digit for each cell, the first cell's the lowest, in base 3: empty,
    the first player's, the second's. What cannot come up in a game holds any number.

    Raises:
        ValueError: the board has too many cells.
    """
    if size**2 > CELLS:
        raise ValueError(f"Hex is solved on boards of up to {CELLS} cells, found {size**2}")
    return _backwards(size**2, _joined(size))


def _joined(size: int) -> NDArray[np.bool_]:
    """[2, 2^cells] whether stones, a bit a cell, join top and bottom; left and right."""
    cells = size**2
    stones = np.arange(1 << cells)
    column = np.array([sum(1 << (y * size + x) for y in range(size)) for x in range(size)])
    row = (1 << size) - 1
    not_left, not_right = ~column[0], ~column[-1]
    joined = []
    for begin, end in ((row, row << (size * (size - 1))), (column[0], column[-1])):
        reached = stones & begin
        for _ in range(cells):  # no path has more cells
            near = reached | reached << size | reached >> size
            near |= (reached & not_right) << 1 | (reached & not_left) >> 1
            near |= (reached & not_left) << (size - 1) | (reached & not_right) >> (size - 1)
            reached = near & stones
        joined.append((reached & end) != 0)
    return np.stack(joined)


@njit(cache=True)
def _backwards(cells: int, joined: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A stone raises a position's number: from the highest down, what follows is known."""
    power = 3 ** np.arange(cells)
    left = np.zeros(3**cells, np.uint8)
    low = 3 ** (cells // 2)
    ones, twos = _stones(cells // 2)
    high_ones, high_twos = _stones(cells - cells // 2)
    for position in range(3**cells - 1, -1, -1):
        upper, lower = position // low, position % low
        first = high_ones[upper] << (cells // 2) | ones[lower]
        second = high_twos[upper] << (cells // 2) | twos[lower]
        more = _count(first) - _count(second)
        if not 0 <= more <= 1 or joined[0, first] or joined[1, second]:
            continue
        win, loss = 255, 0
        for cell in range(cells):
            if not (first | second) >> cell & 1:
                after = left[position + (1 + more) * power[cell]]
                if after % 2 == 0:
                    win = min(win, after + 1)
                else:
                    loss = max(loss, after + 1)
        left[position] = win if win < 255 else loss
    return left


@njit(cache=True)
def _stones(cells: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[3^cells] the first player's stones by a position's number, and the second's: bits."""
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
    count = 0
    while stones:
        stones &= stones - 1
        count += 1
    return count


@njit(cache=True)
def _after(
    left: NDArray[np.uint8], action: NDArray[np.int32], length: NDArray[np.int64]
) -> NDArray[np.int64]:
    """[B, cells] moves left after each move; -1 where it is illegal."""
    cells = action.shape[1]
    after = np.full((len(length), cells), -1, np.int64)
    for row in range(len(length)):
        position, taken = 0, 0
        for ply in range(length[row]):
            position += (1 + ply % 2) * 3 ** action[row, ply]
            taken |= 1 << action[row, ply]
        if left[position] == 0:
            continue
        for cell in range(cells):
            if not taken >> cell & 1:
                after[row, cell] = left[position + (1 + length[row] % 2) * 3**cell]
    return after
