"""The five games of MinAtar: Atari on a grid of ten by ten."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from workbench import extras
from workbench.components import EnvironmentConfig, Fraction, Positive
from workbench.environments.games import graphs
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.environments.forward_only.forward_only_environment import LiveWorlds

Game = Literal["breakout", "asterix", "freeway", "seaquest", "space_invaders"]

CHANNELS: dict[str, int] = {
    "breakout": 4, "asterix": 4, "freeway": 7, "seaquest": 10, "space_invaders": 6,
}  # fmt: skip
ALL = (0, 1, 2, 3, 4, 5)
MINIMAL: dict[str, tuple[int, ...]] = {
    "breakout": (0, 1, 3), "asterix": (0, 1, 2, 3, 4), "freeway": (0, 2, 4), "seaquest": ALL,
    "space_invaders": (0, 1, 3, 5),
}  # fmt: skip
"""The actions of the six (none, left, up, right, down, fire) that do something in a game."""


@register("environment", "minatar")
class MinAtar(EnvironmentConfig):
    """A MinAtar game (Young & Tian 2019): planes of 10x10 cells; graph: neighbours."""

    game: Game = Field("breakout", description="which of the five games")
    sticky: Fraction = Field(0.1, description="probability that the last action is done instead")
    ramping: bool = Field(True, description="whether the game gets harder as it goes on")
    minimal_actions: bool = Field(
        True, description="offer the actions that do something in this game, or all six"
    )
    max_steps: Positive = Field(5000, description="an episode is cut after so many steps")

    def spec(self) -> EnvironmentSpec:
        extras.require("environment 'minatar'", "minatar", "minatar")
        return EnvironmentSpec(
            f"minatar:{self.game}",
            (CHANNELS[self.game], 10, 10),
            len(self._actions),
            horizon=self.max_steps,
            graphs={"neighbours": graphs.eight_neighbours(10, 10)},
            copyable=False,
        )

    @property
    def _actions(self) -> tuple[int, ...]:
        return MINIMAL[self.game] if self.minimal_actions else ALL

    def build(self) -> LiveWorlds:
        from workbench.environments.forward_only.forward_only_environment import LiveWorlds
        from workbench.environments.forward_only.minatar_game import Game

        make = partial(Game, self.game, self.sticky, self.ramping, self._actions, self.max_steps)
        return LiveWorlds(self.spec(), make, self.discount)
