"""Connect Four by OpenSpiel's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from workbench import extras
from workbench.components import Positive
from workbench.environments.games import graphs
from workbench.environments.games.board_config import BoardConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, Symmetry

if TYPE_CHECKING:
    from workbench.environments.games.openspiel_environment import SpielEnvironment

SOLVED = (6, 7, 4)
"""Rows, columns and length of a line of the game that is solved."""


@register("environment", "connect_four")
class ConnectFour(BoardConfig):
    """Connect Four (OpenSpiel), row 0 the lowest; graphs: neighbours, lines; oracle at 6x7, 4."""

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
            oracle=self._solved,
        )

    @property
    def _solved(self) -> bool:
        return (self.rows, self.columns, self.in_line) == SOLVED

    def check_oracle(self) -> None:
        if self._solved:
            extras.require("the oracle of environment 'connect_four'", "bitbully", "solver")

    def _kind(self) -> type[SpielEnvironment]:
        if not self._solved:
            return super()._kind()
        from workbench.environments.games.solved_connect_four import SolvedConnectFour

        return SolvedConnectFour

    def _game(self) -> tuple[str, dict[str, Any]]:
        sizes = {"rows": self.rows, "columns": self.columns, "x_in_row": self.in_line}
        return "connect_four", sizes

    def _planes(self) -> dict[str, Any]:
        return {"shape": (3, self.rows, self.columns), "own": 0, "other": 1, "empty": 2}
