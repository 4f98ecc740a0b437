"""Othello by OpenSpiel's rules."""

from __future__ import annotations

from typing import Any

from workbench.environments.games import graphs
from workbench.environments.games.board_config import BoardConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, Symmetry

CELLS = 64


@register("environment", "othello")
class Othello(BoardConfig):
    """Othello (OpenSpiel), 8x8; action 64 passes, where nothing else is allowed."""

    def spec(self) -> EnvironmentSpec:
        # The rules know no direction. The beginning does: four of the eight turn it into itself,
        # the others into the beginning with colours changed places, which is as good to learn from.
        turns = graphs.board_symmetries(8, 8)
        return EnvironmentSpec(
            "othello",
            (3, 8, 8),
            CELLS + 1,
            alternating=True,
            horizon=128,
            bounds=(-1.0, 1.0),
            graphs={"neighbours": graphs.eight_neighbours(8, 8)},
            marks=(*(((0, cell),) for cell in range(CELLS)), ()),
            symmetries=tuple(Symmetry(s.cells, (*s.actions, CELLS)) for s in turns),
        )

    def _game(self) -> tuple[str, dict[str, Any]]:
        return "othello", {}

    def _planes(self) -> dict[str, Any]:
        return {"shape": (3, 8, 8), "own": 1, "other": 2, "empty": 0, "relative": True}
