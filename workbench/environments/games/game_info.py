"""Static properties of OpenSpiel games, without torch: they are checked when a file is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyspiel

from workbench.components import Incompatible
from workbench.errors import did_you_mean, shown


@dataclass(frozen=True)
class GameInfo:
    """Static properties of an OpenSpiel game."""

    observation_shape: tuple[int, ...]
    """Shape of OpenSpiel's observation tensor."""
    actions: int
    """Number of distinct actions."""
    horizon: int
    """Maximum number of moves in a game."""
    bounds: tuple[float, float]
    """Minimum and maximum utility of a player."""
    binary: bool
    """Whether all entries of the observation tensor were 0 or 1 in the games played as a test."""


def game_string(name: str, parameters: dict[str, Any]) -> str:
    """Return a game in OpenSpiel's notation: name(key=value,...)."""
    arguments = ",".join(f"{key}={value}" for key, value in sorted(parameters.items()))
    return f"{name}({arguments})" if arguments else name


def game_info(name: str, parameters: dict[str, Any]) -> GameInfo:
    """Return the static properties of a game.

    Raises:
        Incompatible: there is no such game or parameter, or the workbench cannot play the game.
    """
    known = pyspiel.registered_names()
    if name not in known:
        raise Incompatible(f"OpenSpiel has no game '{name}'{did_you_mean(name, known)}")
    game_type = next(t for t in pyspiel.registered_games() if t.short_name == name)
    for key, value in parameters.items():
        _check_parameter(name, game_type.parameter_specification, key, value)
    return _load_info(game_string(name, parameters))


def _check_parameter(name: str, allowed: dict[str, Any], key: str, value: Any) -> None:
    if key not in allowed:
        names = ", ".join(sorted(allowed)) or "none"
        suggestion = did_you_mean(key, allowed) or ";"
        raise Incompatible(f"game '{name}' has no parameter '{key}'{suggestion} allowed: {names}")
    default = allowed[key]
    if default is not None and type(value) is not type(default):
        raise Incompatible(
            f"parameter '{key}' of game '{name}' must be of type {type(default).__name__}, "
            f"found {shown(value)}"
        )


@cache
def _load_info(string: str) -> GameInfo:
    try:
        game = pyspiel.load_game(string)
    except Exception as error:  # OpenSpiel's errors have no common narrower class
        raise Incompatible(
            f"OpenSpiel cannot load '{string}': {str(error).splitlines()[0]}"
        ) from None
    game_type = game.get_type()
    requirements = {
        "sequential moves": game_type.dynamics == pyspiel.GameType.Dynamics.SEQUENTIAL,
        "no chance nodes": game_type.chance_mode == pyspiel.GameType.ChanceMode.DETERMINISTIC,
        "perfect information": (
            game_type.information == pyspiel.GameType.Information.PERFECT_INFORMATION
        ),
        "two players": game.num_players() == 2,
        "zero-sum utilities": game_type.utility == pyspiel.GameType.Utility.ZERO_SUM,
        "an observation tensor": game_type.provides_observation_tensor,
    }
    unmet = [requirement for requirement, met in requirements.items() if not met]
    if unmet:
        raise Incompatible(
            f"game '{string}' does not fit environment 'openspiel', which needs {', '.join(unmet)}"
        )
    return GameInfo(
        tuple(game.observation_tensor_shape()),
        game.num_distinct_actions(),
        game.max_game_length(),
        (game.min_utility(), game.max_utility()),
        _probe(game, string),
    )


PROBE_GAMES = 20
"""Number of random games that check that players alternate and whether tensors are binary."""


def _probe(game: Any, string: str) -> bool:
    """Play random games and return whether all observation tensors are binary.

    Raises:
        Incompatible: a player moved twice in a row.
    """
    random, binary = np.random.default_rng(0), True
    for _ in range(PROBE_GAMES):
        state = game.new_initial_state()
        player = state.current_player()
        for _ in range(500):
            if state.is_terminal():
                break
            if state.current_player() != player:
                raise Incompatible(
                    f"game '{string}' does not fit environment 'openspiel': a player may move "
                    "twice in a row, but models assume that players alternate"
                )
            tensor = np.asarray(state.observation_tensor(player))
            binary = binary and bool(np.isin(tensor, (0, 1)).all())
            state.apply_action(int(random.choice(state.legal_actions())))
            player = 1 - player
    return binary
