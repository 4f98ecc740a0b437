"""Breakthrough by OpenSpiel's rules."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from workbench.environments.games import graphs
from workbench.environments.games.board_config import BoardConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, Symmetry

STEPS = ((1, -1), (1, 0), (1, 1), (-1, -1), (-1, 0), (-1, 1))
"""Row and column of a step, by OpenSpiel's number of its direction: the first player moves down."""


@register("environment", "breakthrough")
class Breakthrough(BoardConfig):
    """Breakthrough (OpenSpiel): reach the other side; a fourth plane is full for the second."""

    rows: Annotated[int, Field(ge=4)] = Field(6, description="from side to side of the players")
    columns: Annotated[int, Field(ge=2)] = Field(6, description="pieces in a row")

    def spec(self) -> EnvironmentSpec:
        cells = self.rows * self.columns
        return EnvironmentSpec(
            "breakthrough",
            (4, self.rows, self.columns),
            cells * len(STEPS) * 2,
            alternating=True,
            horizon=self._longest(),
            bounds=(-1.0, 1.0),
            graphs={"neighbours": graphs.eight_neighbours(self.rows, self.columns)},
            marks=tuple(self._marks(action) for action in range(cells * len(STEPS) * 2)),
            symmetries=(
                Symmetry(tuple(range(cells)), tuple(range(cells * len(STEPS) * 2))),
                self._mirror(),
            ),
        )

    def _longest(self) -> int:
        """Every move brings a piece a row nearer to its goal."""
        return 2 * self.columns * (2 * self.rows - 3) + 1

    def _split(self, action: int) -> tuple[int, int, int, int]:
        """Row, column, direction, and whether it takes."""
        rest, takes = divmod(action, 2)
        cell, direction = divmod(rest, len(STEPS))
        return *divmod(cell, self.columns), direction, takes

    def _marks(self, action: int) -> tuple[tuple[int, int], ...]:
        """Plane 0: where the piece stands; plane 1: where it goes, if that is on the board."""
        y, x, direction, _ = self._split(action)
        v, u = y + STEPS[direction][0], x + STEPS[direction][1]
        inside = 0 <= v < self.rows and 0 <= u < self.columns
        source = (0, y * self.columns + x)
        return (source, (1, v * self.columns + u)) if inside else (source,)

    def _mirror(self) -> Symmetry:
        """Left and right changed."""
        last = self.columns - 1
        cells = tuple(
            y * self.columns + last - x for y in range(self.rows) for x in range(self.columns)
        )
        opposite = {step: number for number, step in enumerate(STEPS)}
        actions = []
        for action in range(len(cells) * len(STEPS) * 2):
            y, x, direction, takes = self._split(action)
            down, right = STEPS[direction]
            turned = opposite[(down, -right)]
            cell = y * self.columns + last - x
            actions.append((cell * len(STEPS) + turned) * 2 + takes)
        return Symmetry(cells, tuple(actions))

    def _game(self) -> tuple[str, dict[str, Any]]:
        return "breakthrough", {"rows": self.rows, "columns": self.columns}

    def _planes(self) -> dict[str, Any]:
        shape = (3, self.rows, self.columns)
        return {"shape": shape, "own": 0, "other": 1, "empty": 2, "tell_mover": True}
