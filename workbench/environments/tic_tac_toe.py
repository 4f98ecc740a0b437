"""Tic-tac-toe with OpenSpiel's rules: 5,478 states, solved exactly."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from typing_extensions import override

from workbench.components import EnvironmentConfig
from workbench.environments.games import graphs
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.environments.games.game_table import GameTable, GameTableEnvironment


@register("environment", "tic_tac_toe")
class TicTacToe(EnvironmentConfig):
    """Tic-tac-toe (OpenSpiel); two players; exact oracle; graphs: neighbours, lines."""

    @override
    def spec(self) -> EnvironmentSpec:
        return EnvironmentSpec(
            name="tic_tac_toe",
            observation=(3, 3, 3),
            actions=9,
            alternating=True,
            horizon=9,
            bounds=(-1.0, 1.0),
            reward_bounds=(-1.0, 1.0),
            graphs={
                "neighbours": graphs.eight_neighbours(3, 3),
                "lines": graphs.lines(3, 3, 3),
            },
            action_planes=tuple(((0, cell),) for cell in range(9)),
            symmetries=graphs.board_symmetries(3, 3),
            oracle=True,
            enumerable=True,
        )

    @override
    def build(self) -> GameTableEnvironment:
        from workbench.environments.games.game_table import GameTableEnvironment

        return GameTableEnvironment(self.spec(), _table(), self.discount)


@cache
def _table() -> GameTable:
    """Return the table of the game, which is made once in a process."""
    from workbench.environments.games.game_table import enumerate_game
    from workbench.environments.games.openspiel_environment import BoardPlanes

    planes = BoardPlanes((3, 3, 3), own=2, other=1, empty=0)
    return enumerate_game("tic_tac_toe", planes)
