"""Othello with OpenSpiel's rules."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from workbench.environments.games import graphs
from workbench.environments.games.board_config import BoardConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, Symmetry

CELLS = 64


@register("environment", "othello")
class Othello(BoardConfig):
    """Othello (OpenSpiel), 8x8; action 64 passes, legal only if there is no other move."""

    @override
    def spec(self) -> EnvironmentSpec:
        # The rules are invariant under all eight symmetries, but the initial position only under
        # four. The other four swap its colours, which gives equally valid training positions.
        symmetries = graphs.board_symmetries(8, 8)
        return EnvironmentSpec(
            "othello",
            (3, 8, 8),
            CELLS + 1,
            alternating=True,
            horizon=128,
            bounds=(-1.0, 1.0),
            reward_bounds=(-1.0, 1.0),
            graphs={"neighbours": graphs.eight_neighbours(8, 8)},
            action_planes=(*(((0, cell),) for cell in range(CELLS)), ()),
            symmetries=tuple(Symmetry(s.cells, (*s.actions, CELLS)) for s in symmetries),
        )

    @override
    def _game(self) -> tuple[str, dict[str, Any]]:
        return "othello", {}

    @override
    def _planes(self) -> dict[str, Any]:
        return {"shape": (3, 8, 8), "own": 1, "other": 2, "empty": 0, "relative": True}
