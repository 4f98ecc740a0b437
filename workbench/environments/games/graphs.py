"""Graphs over the cells of a board, and its symmetries."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from workbench.types import Graph, Symmetry


def _graph(nodes: int, pairs: Iterable[tuple[int, int]]) -> Graph:
    both = {edge for a, b in pairs for edge in ((a, b), (b, a))}
    return Graph(nodes, tuple(sorted(both)))


def eight_neighbours(height: int, width: int) -> Graph:
    """Every cell is joined to the cells that a king reaches from it."""
    cells = list(product(range(height), range(width)))
    near = (
        (y * width + x, v * width + u)
        for (y, x), (v, u) in combinations(cells, 2)
        if max(abs(y - v), abs(x - u)) == 1
    )
    return _graph(height * width, near)


def four_neighbours(open_to: NDArray[np.bool_]) -> Graph:
    """Every open cell [H, W] is joined to the open ones above, below, left and right of it."""
    height, width = open_to.shape
    pairs = (
        (y * width + x, v * width + u)
        for y, x in product(range(height), range(width))
        for v, u in ((y, x + 1), (y + 1, x))
        if v < height and u < width and open_to[y, x] and open_to[v, u]
    )
    return _graph(height * width, pairs)


def lines(height: int, width: int, length: int) -> Graph:
    """Two cells are joined where a straight line of `length` cells, one that wins, holds both."""
    pairs: set[tuple[int, int]] = set()
    for y, x in product(range(height), range(width)):
        for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
            line = [(y + i * dy, x + i * dx) for i in range(length)]
            if all(0 <= v < height and 0 <= u < width for v, u in line):
                pairs.update(combinations([v * width + u for v, u in line], 2))
    return _graph(height * width, pairs)


def board_symmetries(height: int, width: int) -> tuple[Symmetry, ...]:
    """The turns and mirrorings of a board whose actions are its cells: 8 of a square, else 4."""
    cells = np.arange(height * width).reshape(height, width)
    quarters = range(4) if height == width else (0, 2)
    turned = [np.rot90(m, k) for m in (cells, cells[:, ::-1]) for k in quarters]
    return tuple(
        Symmetry(tuple(shown.flatten().tolist()), tuple(np.argsort(shown, axis=None).tolist()))
        for shown in turned
    )


def six_neighbours(size: int) -> Graph:
    """The cells of a Hex board of `size` x `size`: each row leans half a cell further right."""
    pairs = (
        (y * size + x, v * size + u)
        for y, x in product(range(size), repeat=2)
        for v, u in ((y, x + 1), (y + 1, x), (y + 1, x - 1))
        if v < size and 0 <= u < size
    )
    return _graph(size * size, pairs)
