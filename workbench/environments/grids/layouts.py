"""Walls and cells: mazes, and what is told of any layout; light."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
from numpy.typing import NDArray

Walls = NDArray[np.bool_]
"""[H, W], true where nobody can stand; walls all around."""

Cell = tuple[int, int]
"""Row and column, from 0 at the top left."""

DIRECTIONS: tuple[Cell, ...] = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Where a move leads, by its number: up, down, left, right."""


def drawn(picture: str) -> Walls:
    """Walls from lines of `#` and `.`."""
    return np.array([[cell == "#" for cell in line] for line in picture.split()])


def free_cells(walls: Walls) -> list[Cell]:
    """In row-major order."""
    return [(int(y), int(x)) for y, x in np.argwhere(~walls)]


@cache
def maze(size: int, level: int, holes: int) -> Walls:
    """A maze of odd `size`: rooms at odd rows and columns, dug by depth-first search.

    Between any two cells there is one way without going back; each of the `holes`, walls between
    two rooms that are taken away, opens another, as long as there are walls to take.

    Args:
        level: seed of the layout.
    """
    draw = random.Random(level)
    walls = np.ones((size, size), np.bool_)
    way = [(1, 1)]
    walls[1, 1] = False
    while way:
        y, x = way[-1]
        beyond = [
            (y + 2 * v, x + 2 * u)
            for v, u in DIRECTIONS
            if 0 < y + 2 * v < size and 0 < x + 2 * u < size and walls[y + 2 * v, x + 2 * u]
        ]
        if not beyond:
            way.pop()
            continue
        v, u = _any_of(beyond, draw)
        walls[v, u] = walls[(y + v) // 2, (x + u) // 2] = False
        way.append((v, u))
    between = [
        (y, x)
        for y in range(1, size - 1)
        for x in range(1, size - 1)
        if (y + x) % 2 and walls[y, x]
    ]
    for _ in range(min(holes, len(between))):
        opened = _any_of(between, draw)
        between.remove(opened)
        walls[opened] = False
    walls.flags.writeable = False
    return walls


def scattered(walls: Walls, count: int, level: int) -> list[Cell]:
    """So many free cells, each as likely; all of them where there are no more."""
    draw = random.Random(level)
    left = free_cells(walls)
    found: list[Cell] = []
    while left and len(found) < count:
        found.append(_any_of(left, draw))
        left.remove(found[-1])
    return sorted(found)


def _any_of(cells: list[Cell], draw: random.Random) -> Cell:
    """By `random()`, the one draw that Python keeps the same from version to version."""
    return cells[int(draw.random() * len(cells))]
