"""The five games of MinAtar: Atari on a 10x10 grid."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic import Field
from typing_extensions import override

from workbench import extras
from workbench.components import EnvironmentConfig, Fraction, Positive
from workbench.environments.games import graphs
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.environments.forward_only.simulator_environment import SimulatorEnvironment

Game = Literal["breakout", "asterix", "freeway", "seaquest", "space_invaders"]

CHANNELS: dict[str, int] = {
    "breakout": 4, "asterix": 4, "freeway": 7, "seaquest": 10, "space_invaders": 6,
}  # fmt: skip
ALL_ACTIONS = (0, 1, 2, 3, 4, 5)
MINIMAL_ACTIONS: dict[str, tuple[int, ...]] = {
    "breakout": (0, 1, 3), "asterix": (0, 1, 2, 3, 4), "freeway": (0, 2, 4),
    "seaquest": ALL_ACTIONS, "space_invaders": (0, 1, 3, 5),
}  # fmt: skip
"""Each game's minimal action set, out of: no-op, left, up, right, down, fire."""


@register("environment", "minatar")
class MinAtar(EnvironmentConfig):
    """A MinAtar game (Young & Tian 2019): 10x10 binary planes; graph: neighbours."""

    game: Game = Field("breakout", description="name of the game")
    sticky: Fraction = Field(
        0.1, description="probability that the previous action is repeated (sticky actions)"
    )
    ramping: bool = Field(True, description="whether the difficulty increases during an episode")
    minimal_actions: bool = Field(
        True, description="use the game's minimal action set instead of all six actions"
    )
    max_steps: Positive = Field(
        5000, description="maximum number of steps per episode; longer ones are truncated"
    )

    @override
    def spec(self) -> EnvironmentSpec:
        extras.require("environment 'minatar'", "minatar", "minatar")
        return EnvironmentSpec(
            f"minatar:{self.game}",
            (CHANNELS[self.game], 10, 10),
            len(self._actions),
            horizon=self.max_steps,
            graphs={"neighbours": graphs.eight_neighbours(10, 10)},
            cloneable=False,
        )

    @property
    def _actions(self) -> tuple[int, ...]:
        return MINIMAL_ACTIONS[self.game] if self.minimal_actions else ALL_ACTIONS

    @override
    def build(self) -> SimulatorEnvironment:
        from workbench.environments.forward_only.minatar_game import MinAtarGame
        from workbench.environments.forward_only.simulator_environment import (
            SimulatorEnvironment,
        )

        make = partial(
            MinAtarGame, self.game, self.sticky, self.ramping, self._actions, self.max_steps
        )
        return SimulatorEnvironment(self.spec(), make, self.discount)
