"""Hex with OpenSpiel's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from typing_extensions import override

from workbench.environments.games import graphs
from workbench.environments.games.board_config import BoardConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec, Symmetry

if TYPE_CHECKING:
    from workbench.environments.games.game_table import GameTableEnvironment
    from workbench.environments.games.openspiel_environment import OpenSpielEnvironment

MAX_LISTED_SIZE = 3
"""Side of the largest board whose positions are all listed."""
MAX_SOLVED_SIZE = 4
"""Side of the largest board with an oracle."""


@register("environment", "hex")
class Hex(BoardConfig):
    """Hex (OpenSpiel) without swap rule; oracle up to 4x4, enumerable up to 3x3; graph: neighbours.

    The first player connects top and bottom, the second left and right. A fourth observation plane
    is all ones if the second player is to move.
    """

    size: Annotated[int, Field(ge=2, le=19)] = Field(5, description="board side in cells")

    @override
    def spec(self) -> EnvironmentSpec:
        cells = self.size**2
        rotated = tuple(reversed(range(cells)))
        return EnvironmentSpec(
            "hex",
            (4, self.size, self.size),
            cells,
            alternating=True,
            horizon=cells,
            bounds=(-1.0, 1.0),
            reward_bounds=(-1.0, 1.0),
            graphs={"neighbours": graphs.six_neighbours(self.size)},
            action_planes=tuple(((0, cell),) for cell in range(cells)),
            symmetries=(
                Symmetry(tuple(range(cells)), tuple(range(cells))),
                Symmetry(rotated, rotated),
            ),
            oracle=self.size <= MAX_SOLVED_SIZE,
            enumerable=self.size <= MAX_LISTED_SIZE,
        )

    @override
    def build(self) -> OpenSpielEnvironment | GameTableEnvironment:
        if self.size > MAX_LISTED_SIZE:
            return super().build()
        from workbench.environments.games.game_info import game_string
        from workbench.environments.games.game_table import GameTableEnvironment, enumerate_game
        from workbench.environments.games.openspiel_environment import BoardPlanes

        table = enumerate_game(game_string(*self._game()), BoardPlanes(**self._planes()))
        return GameTableEnvironment(self.spec(), table, self.discount)

    @override
    def _environment_class(self) -> type[OpenSpielEnvironment]:
        if self.size > MAX_SOLVED_SIZE:
            return super()._environment_class()
        from workbench.environments.games.solved_hex import SolvedHex

        return SolvedHex

    @override
    def _game(self) -> tuple[str, dict[str, Any]]:
        return "hex", {"board_size": self.size, "plain_obs_tensor": True}

    @override
    def _planes(self) -> dict[str, Any]:
        shape = (3, self.size, self.size)
        return {"shape": shape, "own": 0, "other": 1, "empty": 2, "player_plane": True}
