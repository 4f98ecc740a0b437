"""Any OpenSpiel game that fits the workbench, by name."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from pydantic import Field
from typing_extensions import override

from workbench.components import EnvironmentConfig
from workbench.environments.games import graphs
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.environments.games.game_info import GameInfo
    from workbench.environments.games.openspiel_environment import OpenSpielEnvironment


@register("environment", "openspiel")
class OpenSpiel(EnvironmentConfig):
    """A deterministic two-player OpenSpiel game, observed as OpenSpiel's own tensor."""

    game: str = Field("clobber", description="OpenSpiel name of the game")
    parameters: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="parameters of the game, by name"
    )

    @override
    def spec(self) -> EnvironmentSpec:
        info = self._game_info()
        shape = info.observation_shape
        board = len(shape) == 3
        return EnvironmentSpec(
            f"openspiel:{self.game}",
            (shape[0] + 1, *shape[1:]) if board else (prod(shape) + 1,),
            info.actions,
            alternating=True,
            horizon=info.horizon,
            bounds=info.bounds,
            reward_bounds=info.bounds,
            graphs={"neighbours": graphs.eight_neighbours(*shape[1:])} if board else {},
        )

    def _game_info(self) -> GameInfo:
        from workbench.environments.games.game_info import game_info

        return game_info(self.game, dict(self.parameters))

    @override
    def build(self) -> OpenSpielEnvironment:
        from workbench.environments.games.game_info import game_string
        from workbench.environments.games.openspiel_environment import (
            OpenSpielEnvironment,
            OpenSpielTensor,
        )

        info = self._game_info()
        game = game_string(self.game, dict(self.parameters))
        observe = OpenSpielTensor(info.observation_shape, info.binary)
        return OpenSpielEnvironment(self.spec(), game, observe, self.discount)
