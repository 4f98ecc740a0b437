"""Hex by OpenSpiel's rules."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from workbench.environments.games import graphs
from workbench.environments.games.board import BoardConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, Symmetry


@register("environment", "hex")
class Hex(BoardConfig):
    """Hex (OpenSpiel), no swap: six neighbours a cell; a fourth plane is full for the second."""

    size: Annotated[int, Field(ge=2)] = Field(5, description="cells along a side")

    def spec(self) -> EnvironmentSpec:
        cells = self.size**2
        turned = tuple(reversed(range(cells)))
        return EnvironmentSpec(
            "hex",
            (4, self.size, self.size),
            cells,
            alternating=True,
            horizon=cells,
            bounds=(-1.0, 1.0),
            graphs={"neighbours": graphs.six_neighbours(self.size)},
            marks=tuple(((0, cell),) for cell in range(cells)),
            symmetries=(
                Symmetry(tuple(range(cells)), tuple(range(cells))),
                Symmetry(turned, turned),
            ),
        )

    def _game(self) -> tuple[str, dict[str, Any]]:
        return "hex", {"board_size": self.size, "plain_obs_tensor": True}

    def _planes(self) -> dict[str, Any]:
        shape = (3, self.size, self.size)
        return {"shape": shape, "own": 0, "other": 1, "empty": 2, "tell_mover": True}
