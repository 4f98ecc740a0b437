"""Connect Four by OpenSpiel's rules."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from workbench.components import Positive
from workbench.environments.games import graphs
from workbench.environments.games.board import BoardConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, Symmetry


@register("environment", "connect_four")
class ConnectFour(BoardConfig):
    """Connect Four (OpenSpiel): four in a line; graphs: neighbours, lines. Row 0 is the lowest."""

    rows: Positive = Field(6, description="cells of a column")
    columns: Positive = Field(7, description="columns, which are the actions")
    in_line: Positive = Field(4, description="pieces in a straight line that win")

    def spec(self) -> EnvironmentSpec:
        height, width = self.rows, self.columns
        mirrored = tuple(y * width + width - 1 - x for y in range(height) for x in range(width))
        return EnvironmentSpec(
            "connect_four",
            (3, height, width),
            width,
            alternating=True,
            horizon=height * width,
            bounds=(-1.0, 1.0),
            graphs={
                "neighbours": graphs.eight_neighbours(height, width),
                "lines": graphs.lines(height, width, self.in_line),
            },
            # A move shows as its whole column: where the piece lands, the rules decide.
            marks=tuple(tuple((0, y * width + x) for y in range(height)) for x in range(width)),
            symmetries=(
                Symmetry(tuple(range(height * width)), tuple(range(width))),
                Symmetry(mirrored, tuple(reversed(range(width)))),
            ),
        )

    def _game(self) -> tuple[str, dict[str, Any]]:
        sizes = {"rows": self.rows, "columns": self.columns, "x_in_row": self.in_line}
        return "connect_four", sizes

    def _planes(self) -> dict[str, Any]:
        return {"shape": (3, self.rows, self.columns), "own": 0, "other": 1, "empty": 2}
