"""Base configuration of two-player board games with OpenSpiel's rules; imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from workbench.components import EnvironmentConfig

if TYPE_CHECKING:
    from workbench.environments.games.game_table import GameTableEnvironment
    from workbench.environments.games.openspiel_environment import OpenSpielEnvironment


class BoardConfig(EnvironmentConfig):
    """A board game, observed as planes of own pieces, the opponent's pieces and empty cells."""

    @abstractmethod
    def _game(self) -> tuple[str, dict[str, Any]]:
        """Return the name and the parameters of the game in OpenSpiel."""

    @abstractmethod
    def _planes(self) -> dict[str, Any]:
        """Return the fields of the `BoardPlanes` that reads OpenSpiel's tensor."""

    @override
    def build(self) -> OpenSpielEnvironment | GameTableEnvironment:
        from workbench.environments.games.game_info import game_string
        from workbench.environments.games.openspiel_environment import BoardPlanes

        game = game_string(*self._game())
        return self._environment_class()(
            self.spec(), game, BoardPlanes(**self._planes()), self.discount
        )

    def _environment_class(self) -> type[OpenSpielEnvironment]:
        from workbench.environments.games.openspiel_environment import OpenSpielEnvironment

        return OpenSpielEnvironment
