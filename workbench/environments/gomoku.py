"""Gomoku with OpenSpiel's rules."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from typing_extensions import override

from workbench.environments.games import graphs
from workbench.environments.games.board_config import BoardConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec


@register("environment", "gomoku")
class Gomoku(BoardConfig):
    """Gomoku (OpenSpiel's mnk) of any size and line length; graphs: neighbours, lines."""

    size: Annotated[int, Field(ge=2, le=19)] = Field(9, description="board side in cells")
    in_line: Annotated[int, Field(ge=2)] = Field(5, description="length of a winning line")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.in_line > self.size:
            raise ValueError(
                f"in_line {self.in_line} exceeds the board side; allowed are 2 to {self.size}"
            )
        return self

    @override
    def spec(self) -> EnvironmentSpec:
        cells = self.size**2
        return EnvironmentSpec(
            "gomoku",
            (3, self.size, self.size),
            cells,
            alternating=True,
            horizon=cells,
            bounds=(-1.0, 1.0),
            reward_bounds=(-1.0, 1.0),
            graphs={
                "neighbours": graphs.eight_neighbours(self.size, self.size),
                "lines": graphs.lines(self.size, self.size, self.in_line),
            },
            action_planes=tuple(((0, cell),) for cell in range(cells)),
            symmetries=graphs.board_symmetries(self.size, self.size),
        )

    @override
    def _game(self) -> tuple[str, dict[str, Any]]:
        return "mnk", {"m": self.size, "n": self.size, "k": self.in_line}

    @override
    def _planes(self) -> dict[str, Any]:
        return {"shape": (3, self.size, self.size), "own": 2, "other": 1, "empty": 0}
