"""Hex by OpenSpiel's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from workbench.environments.games import graphs
from workbench.environments.games.board_config import BoardConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, Symmetry

if TYPE_CHECKING:
    from workbench.environments.games.lookup_table import TableEnvironment
    from workbench.environments.games.openspiel_environment import SpielEnvironment

LISTED = 3
"""Cells along a side of the largest board whose positions are listed."""
SOLVED = 4
"""And of the largest that is solved."""


@register("environment", "hex")
class Hex(BoardConfig):
    """Hex (OpenSpiel), no swap: six neighbours a cell; oracle up to 4x4, listed up to 3x3.

    The first player joins top and bottom, the second left and right: a fourth plane is full where
    the second moves.
    """

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
            oracle=self.size <= SOLVED,
            enumerable=self.size <= LISTED,
        )

    def build(self) -> SpielEnvironment | TableEnvironment:
        if self.size > LISTED:
            return super().build()
        from workbench.environments.games.lookup_table import TableEnvironment, enumerate_game
        from workbench.environments.games.openspiel_environment import Planes, game_string

        table = enumerate_game(game_string(*self._game()), Planes(**self._planes()))
        return TableEnvironment(self.spec(), table, self.discount)

    def _kind(self) -> type[SpielEnvironment]:
        if self.size > SOLVED:
            return super()._kind()
        from workbench.environments.games.solved_hex import SolvedHex

        return SolvedHex

    def _game(self) -> tuple[str, dict[str, Any]]:
        return "hex", {"board_size": self.size, "plain_obs_tensor": True}

    def _planes(self) -> dict[str, Any]:
        shape = (3, self.size, self.size)
        return {"shape": shape, "own": 0, "other": 1, "empty": 2, "tell_mover": True}
