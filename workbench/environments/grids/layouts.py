"""Layouts of walls and cells, and a maze generator; imports no torch."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Walls: TypeAlias = "NDArray[np.bool_]"
"""[H, W], true at walls. The border consists of walls."""

Cell = tuple[int, int]
"""Row and column, from 0 at the top left."""

DIRECTIONS: tuple[Cell, ...] = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Offset of each action: up, down, left, right."""


def parse_layout(picture: str) -> Walls:
    """Return the walls of a picture made of `#` (wall) and `.` (free) lines."""
    import numpy as np

    return np.array([[cell == "#" for cell in line] for line in picture.split()])


def free_cells(walls: Walls) -> list[Cell]:
    """Return the cells without wall in row-major order."""
    import numpy as np

    return [(int(y), int(x)) for y, x in np.argwhere(~walls)]


@cache
def maze(size: int, level: int, holes: int) -> Walls:
    """Return a maze with rooms at odd rows and columns, carved by depth-first search.

    Without holes the maze is a tree: one path connects any two cells. Each hole adds one cycle.

    Args:
        size: odd side in cells.
        level: seed of the layout.
        holes: number of walls between two rooms to remove; at most all of them are removed.
    """
    import numpy as np

    rng = random.Random(level)
    walls = np.ones((size, size), np.bool_)
    path = [(1, 1)]
    walls[1, 1] = False
    while path:
        y, x = path[-1]
        unvisited = [
            (y + 2 * v, x + 2 * u)
            for v, u in DIRECTIONS
            if 0 < y + 2 * v < size and 0 < x + 2 * u < size and walls[y + 2 * v, x + 2 * u]
        ]
        if not unvisited:
            path.pop()
            continue
        v, u = _choose(unvisited, rng)
        walls[v, u] = walls[(y + v) // 2, (x + u) // 2] = False
        path.append((v, u))
    removable = [
        (y, x)
        for y in range(1, size - 1)
        for x in range(1, size - 1)
        if (y + x) % 2 and walls[y, x]
    ]
    for _ in range(min(holes, len(removable))):
        hole = _choose(removable, rng)
        removable.remove(hole)
        walls[hole] = False
    walls.flags.writeable = False
    return walls


def random_cells(walls: Walls, count: int, level: int) -> list[Cell]:
    """Return `count` distinct free cells drawn uniformly with seed `level`, or all if fewer."""
    rng = random.Random(level)
    remaining = free_cells(walls)
    chosen: list[Cell] = []
    while remaining and len(chosen) < count:
        chosen.append(_choose(remaining, rng))
        remaining.remove(chosen[-1])
    return sorted(chosen)


def _choose(cells: list[Cell], rng: random.Random) -> Cell:
    """Return a random cell.

    It uses `random()`, the only method with the same sequence in all Python versions.
    """
    return cells[int(rng.random() * len(cells))]
