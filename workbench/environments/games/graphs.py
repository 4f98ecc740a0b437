"""Graphs over the cells of a board, and symmetries of the board."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import combinations, product
from typing import TYPE_CHECKING

from workbench.types import Graph, Symmetry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _graph(nodes: int, pairs: Iterable[tuple[int, int]]) -> Graph:
    directed = {edge for a, b in pairs for edge in ((a, b), (b, a))}
    return Graph(nodes, tuple(sorted(directed)))


@cache
def eight_neighbours(height: int, width: int) -> Graph:
    """Return the graph that connects each cell with its up to eight adjacent cells."""
    cells = list(product(range(height), range(width)))
    adjacent = (
        (y * width + x, v * width + u)
        for (y, x), (v, u) in combinations(cells, 2)
        if max(abs(y - v), abs(x - u)) == 1
    )
    return _graph(height * width, adjacent)


def four_neighbours(open_cells: NDArray[np.bool_]) -> Graph:
    """Return the graph that connects each open cell with its up to four adjacent open cells.

    Args:
        open_cells: [H, W], true for cells that have edges.
    """
    height, width = open_cells.shape
    pairs = (
        (y * width + x, v * width + u)
        for y, x in product(range(height), range(width))
        for v, u in ((y, x + 1), (y + 1, x))
        if v < height and u < width and open_cells[y, x] and open_cells[v, u]
    )
    return _graph(height * width, pairs)


@cache
def lines(height: int, width: int, length: int) -> Graph:
    """Return the graph that connects two cells if a line of `length` cells contains both."""
    pairs: set[tuple[int, int]] = set()
    for y, x in product(range(height), range(width)):
        for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
            line = [(y + i * dy, x + i * dx) for i in range(length)]
            if all(0 <= v < height and 0 <= u < width for v, u in line):
                pairs.update(combinations([v * width + u for v, u in line], 2))
    return _graph(height * width, pairs)


@cache
def board_symmetries(height: int, width: int) -> tuple[Symmetry, ...]:
    """Return the rotations and reflections of a board whose actions are its cells.

    A square board has eight, any other four.
    """
    import numpy as np

    cells = np.arange(height * width).reshape(height, width)
    quarters = range(4) if height == width else (0, 2)
    transformed = [np.rot90(m, k) for m in (cells, cells[:, ::-1]) for k in quarters]
    return tuple(
        Symmetry(tuple(board.flatten().tolist()), tuple(np.argsort(board, axis=None).tolist()))
        for board in transformed
    )


@cache
def six_neighbours(size: int) -> Graph:
    """Return the cell graph of a `size` x `size` Hex board.

    Each row is shifted half a cell to the right of the one above it.
    """
    pairs = (
        (y * size + x, v * size + u)
        for y, x in product(range(size), repeat=2)
        for v, u in ((y, x + 1), (y + 1, x), (y + 1, x - 1))
        if v < size and 0 <= u < size
    )
    return _graph(size * size, pairs)
