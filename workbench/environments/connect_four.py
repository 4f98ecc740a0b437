"""Connect Four with OpenSpiel's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator
from typing_extensions import override

from workbench import extras
from workbench.components import Positive
from workbench.environments.games import graphs
from workbench.environments.games.board_config import BoardConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, Symmetry

if TYPE_CHECKING:
    from workbench.environments.games.openspiel_environment import OpenSpielEnvironment

SOLVED_SIZE = (6, 7, 4)
"""Rows, columns and line length of the variant with an oracle."""

BoardSide = Annotated[int, Field(gt=0, le=32)]


@register("environment", "connect_four")
class ConnectFour(BoardConfig):
    """Connect Four (OpenSpiel), row 0 at the bottom; oracle for 6x7; graphs: neighbours, lines."""

    rows: BoardSide = Field(6, description="number of rows")
    columns: BoardSide = Field(7, description="number of columns; each is an action")
    in_line: Positive = Field(4, description="length of a winning line")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        longest = max(self.rows, self.columns)
        if self.in_line > longest:
            raise ValueError(
                f"in_line {self.in_line} exceeds both sides of the board; allowed are 1 to "
                f"{longest}"
            )
        return self

    @override
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
            reward_bounds=(-1.0, 1.0),
            graphs={
                "neighbours": graphs.eight_neighbours(height, width),
                "lines": graphs.lines(height, width, self.in_line),
            },
            # An action marks its whole column, because its cell depends on the position.
            action_planes=tuple(
                tuple((0, y * width + x) for y in range(height)) for x in range(width)
            ),
            symmetries=(
                Symmetry(tuple(range(height * width)), tuple(range(width))),
                Symmetry(mirrored, tuple(reversed(range(width)))),
            ),
            oracle=self._solved,
        )

    @property
    def _solved(self) -> bool:
        return (self.rows, self.columns, self.in_line) == SOLVED_SIZE

    @override
    def check_oracle(self) -> None:
        if self._solved:
            extras.require("the oracle of environment 'connect_four'", "bitbully", "solver")

    @override
    def _environment_class(self) -> type[OpenSpielEnvironment]:
        if not self._solved:
            return super()._environment_class()
        from workbench.environments.games.solved_connect_four import SolvedConnectFour

        return SolvedConnectFour

    @override
    def _game(self) -> tuple[str, dict[str, Any]]:
        sizes = {"rows": self.rows, "columns": self.columns, "x_in_row": self.in_line}
        return "connect_four", sizes

    @override
    def _planes(self) -> dict[str, Any]:
        return {"shape": (3, self.rows, self.columns), "own": 0, "other": 1, "empty": 2}
