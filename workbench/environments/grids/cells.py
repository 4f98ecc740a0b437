"""The free cells of a layout, numbered, and what is seen there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.environments.grids.layouts import DIRECTIONS, Cell, Walls, free_cells


class Cells:
    """N free cells in row-major order."""

    def __init__(self, walls: Walls) -> None:
        self.walls = walls
        self.free = free_cells(walls)
        self.number = {cell: n for n, cell in enumerate(self.free)}
        self.then: NDArray[np.int64] = np.array(
            [[self._from(cell, way) for way in DIRECTIONS] for cell in self.free]
        )
        """[N, 4] the cell after a move; the same where a wall bars the way."""

    def __len__(self) -> int:
        return len(self.free)

    def _from(self, cell: Cell, way: Cell) -> int:
        return self.number.get((cell[0] + way[0], cell[1] + way[1]), self.number[cell])

    def shown(self, occupied: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A plane a row of `occupied` [S, N]: [S, H, W]."""
        planes = np.zeros((len(occupied), *self.walls.shape), np.bool_)
        planes[:, ~self.walls] = occupied
        return planes
