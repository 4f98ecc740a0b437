"""Breakthrough with OpenSpiel's rules."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import override

from workbench.environments.games import graphs
from workbench.environments.games.board_config import BoardConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, Symmetry

DIRECTIONS = ((1, -1), (1, 0), (1, 1), (-1, -1), (-1, 0), (-1, 1))
"""(row, column) offset of each OpenSpiel direction index. The first player moves down."""


@register("environment", "breakthrough")
class Breakthrough(BoardConfig):
    """Breakthrough (OpenSpiel): reach the opposite side; a fourth plane marks the second player."""

    rows: Annotated[int, Field(ge=4, le=26)] = Field(
        6, description="number of rows, along which pieces advance"
    )
    columns: Annotated[int, Field(ge=2, le=26)] = Field(6, description="number of columns")

    @override
    def spec(self) -> EnvironmentSpec:
        cells = self.rows * self.columns
        return EnvironmentSpec(
            "breakthrough",
            (4, self.rows, self.columns),
            cells * len(DIRECTIONS) * 2,
            alternating=True,
            horizon=self._max_length(),
            bounds=(-1.0, 1.0),
            reward_bounds=(-1.0, 1.0),
            graphs={"neighbours": graphs.eight_neighbours(self.rows, self.columns)},
            action_planes=tuple(
                self._action_planes(action) for action in range(cells * len(DIRECTIONS) * 2)
            ),
            symmetries=(
                Symmetry(tuple(range(cells)), tuple(range(cells * len(DIRECTIONS) * 2))),
                self._reflection(),
            ),
        )

    def _max_length(self) -> int:
        """Return the maximum number of moves: each brings a piece one row closer to its goal."""
        return 2 * self.columns * (2 * self.rows - 3) + 1

    def _split(self, action: int) -> tuple[int, int, int, int]:
        """Return row, column, direction index, and 1 if the move captures."""
        rest, captures = divmod(action, 2)
        cell, direction = divmod(rest, len(DIRECTIONS))
        return *divmod(cell, self.columns), direction, captures

    def _action_planes(self, action: int) -> tuple[tuple[int, int], ...]:
        """Return the source cell on plane 0 and, if it is on the board, the target on plane 1."""
        y, x, direction, _ = self._split(action)
        v, u = y + DIRECTIONS[direction][0], x + DIRECTIONS[direction][1]
        on_board = 0 <= v < self.rows and 0 <= u < self.columns
        source = (0, y * self.columns + x)
        return (source, (1, v * self.columns + u)) if on_board else (source,)

    def _reflection(self) -> Symmetry:
        """Return the left-right reflection."""
        last = self.columns - 1
        cells = tuple(
            y * self.columns + last - x for y in range(self.rows) for x in range(self.columns)
        )
        direction_index = {offset: index for index, offset in enumerate(DIRECTIONS)}
        actions = []
        for action in range(len(cells) * len(DIRECTIONS) * 2):
            y, x, direction, captures = self._split(action)
            down, right = DIRECTIONS[direction]
            mirrored = direction_index[(down, -right)]
            cell = y * self.columns + last - x
            actions.append((cell * len(DIRECTIONS) + mirrored) * 2 + captures)
        return Symmetry(cells, tuple(actions))

    @override
    def _game(self) -> tuple[str, dict[str, Any]]:
        return "breakthrough", {"rows": self.rows, "columns": self.columns}

    @override
    def _planes(self) -> dict[str, Any]:
        shape = (3, self.rows, self.columns)
        return {"shape": shape, "own": 0, "other": 1, "empty": 2, "player_plane": True}
