"""Indices of the free cells of a layout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.environments.grids.layouts import DIRECTIONS, Cell, Walls, free_cells


class CellIndex:
    """The N free cells of a layout, indexed in row-major order."""

    def __init__(self, walls: Walls) -> None:
        self.walls = walls
        self.cells = free_cells(walls)
        self.index = {cell: n for n, cell in enumerate(self.cells)}
        self.successor: NDArray[np.int64] = np.array(
            [[self._neighbour(cell, direction) for direction in DIRECTIONS] for cell in self.cells]
        )
        """[N, 4] index of the cell after an action; the cell itself if there is a wall."""

    def __len__(self) -> int:
        return len(self.cells)

    def _neighbour(self, cell: Cell, direction: Cell) -> int:
        y, x = cell[0] + direction[0], cell[1] + direction[1]
        return self.index.get((y, x), self.index[cell])

    def planes(self, occupied: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return one plane per row of `occupied` [S, N], as [S, H, W]."""
        planes = np.zeros((len(occupied), *self.walls.shape), np.bool_)
        planes[:, ~self.walls] = occupied
        return planes
