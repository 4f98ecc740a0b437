"""Any other OpenSpiel game that fits, by its name."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from pydantic import Field

from workbench.components import EnvironmentConfig
from workbench.environments.games import graphs
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.environments.games.openspiel_environment import GameFacts, SpielEnvironment


@register("environment", "openspiel")
class OpenSpiel(EnvironmentConfig):
    """A deterministic OpenSpiel game of two players in turn, seen as OpenSpiel's own tensor."""

    game: str = Field("clobber", description="the game's name in OpenSpiel")
    parameters: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="the game's parameters, by name"
    )

    def spec(self) -> EnvironmentSpec:
        facts = self._facts()
        shape = facts.tensor
        board = len(shape) == 3
        return EnvironmentSpec(
            f"openspiel:{self.game}",
            (shape[0] + 1, *shape[1:]) if board else (prod(shape) + 1,),
            facts.actions,
            alternating=True,
            horizon=facts.horizon,
            bounds=facts.bounds,
            graphs={"neighbours": graphs.eight_neighbours(*shape[1:])} if board else {},
        )

    def _facts(self) -> GameFacts:
        from workbench.environments.games.openspiel_environment import examine

        return examine(self.game, dict(self.parameters))

    def build(self) -> SpielEnvironment:
        from workbench.environments.games.openspiel_environment import (
            SpielEnvironment,
            Tensors,
            game_string,
        )

        facts = self._facts()
        game = game_string(self.game, dict(self.parameters))
        show = Tensors(facts.tensor, facts.binary)
        return SpielEnvironment(self.spec(), game, show, self.discount)
