"""What board games share: pieces of two players on cells, by OpenSpiel's rules; light."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from workbench.components import EnvironmentConfig

if TYPE_CHECKING:
    from workbench.environments.games.lookup_table import TableEnvironment
    from workbench.environments.games.openspiel_environment import SpielEnvironment


class BoardConfig(EnvironmentConfig):
    """A board game; the mover sees its own pieces, the other's and the empty cells."""

    @abstractmethod
    def _game(self) -> tuple[str, dict[str, Any]]:
        """OpenSpiel's name and parameters."""

    @abstractmethod
    def _planes(self) -> dict[str, Any]:
        """How to read OpenSpiel's tensor: the options of `games.spiel.Planes`."""

    def build(self) -> SpielEnvironment | TableEnvironment:
        from workbench.environments.games.openspiel_environment import Planes, game_string

        game = game_string(*self._game())
        return self._kind()(self.spec(), game, Planes(**self._planes()), self.discount)

    def _kind(self) -> type[SpielEnvironment]:
        from workbench.environments.games.openspiel_environment import SpielEnvironment

        return SpielEnvironment
