"""Any deterministic OpenSpiel game of two alternating players as a batched environment.

A state is the history of moves, so that it can be gathered, stored and searched like any tensor.
OpenSpiel's own states stand beside it in a cache, and are played again where they are not there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyspiel
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from workbench.components import Misfit
from workbench.errors import illegal_moves, nearest
from workbench.types import EnvironmentSpec, Transition

CACHED = 65_536
"""States kept at hand."""

Show = Callable[[Any, int], NDArray[Any]]
"""What a player sees of an OpenSpiel state: [*observation]."""


@dataclass(frozen=True)
class History:
    """The moves since the beginning."""

    action: Tensor  # [B, longest] int32, -1 past the end
    length: Tensor  # [B] int64


@dataclass(frozen=True)
class Node:
    """An OpenSpiel state with what is often asked of it."""

    state: Any
    mover: int  # at a terminal state, who would have moved
    observation: NDArray[Any]
    legal: NDArray[np.bool_]

    @property
    def terminal(self) -> bool:
        return bool(self.state.is_terminal())


class SpielEnvironment:
    """A batch of games of one kind."""

    def __init__(self, spec: EnvironmentSpec, game: str, show: Show, discount: float) -> None:
        self.spec = spec
        self._game, self._show, self._discount = pyspiel.load_game(game), show, discount
        self._nodes: OrderedDict[bytes, Node] = OrderedDict()

    def reset(self, batch: int, generator: Generator) -> History:
        longest = self._game.max_game_length()
        action = torch.full((batch, longest), -1, dtype=torch.int32)
        return History(action, torch.zeros(batch, dtype=torch.int64))

    def step(
        self, state: History, action: Tensor, generator: Generator
    ) -> tuple[History, Transition]:
        """Raises ValueError for an illegal move; a terminal state stays as it is."""
        history, length = state.action.numpy().copy(), state.length.numpy().copy()
        reward, over = np.zeros(len(length), np.float32), np.zeros(len(length), np.bool_)
        moved = np.zeros(len(length), np.bool_)
        illegal = []
        for row, move in enumerate(action.tolist()):
            node = self._node(history[row, : length[row]])
            if node.terminal:
                over[row] = True
            elif not node.legal[move]:
                illegal.append(row)
            else:
                history[row, length[row]] = move
                length[row] += 1
                moved[row] = True
                then = self._child(history[row, : length[row]], node, move)
                over[row] = then.terminal
                reward[row] = then.state.player_reward(node.mover)
        if illegal:
            raise illegal_moves(illegal)
        ended = torch.from_numpy(over)
        return History(torch.from_numpy(history), torch.from_numpy(length)), Transition(
            reward=torch.from_numpy(reward),
            discount=-self._discount * torch.from_numpy(~over & moved).float(),
            terminated=ended,
            truncated=torch.zeros_like(ended),
        )

    def observe(self, state: History) -> Tensor:
        return torch.from_numpy(np.stack([node.observation for node in self._batch(state)]))

    def legal(self, state: History) -> Tensor:
        return torch.from_numpy(np.stack([node.legal for node in self._batch(state)]))

    def chance(self, state: History) -> None:
        return None

    def worlds(self, state: History) -> list[Any]:
        """OpenSpiel's states, the caller's own, one a row."""
        return [node.state.clone() for node in self._batch(state)]

    def after(self, games: Sequence[Sequence[int]]) -> History:
        """The states after sequences of moves."""
        begun = self.reset(len(games), Generator())
        for row, moves in enumerate(games):
            begun.action[row, : len(moves)] = torch.tensor(moves, dtype=torch.int32)
            begun.length[row] = len(moves)
        return begun

    def _batch(self, state: History) -> list[Node]:
        history, length = state.action.numpy(), state.length.tolist()
        return [self._node(history[row, :n]) for row, n in enumerate(length)]

    def _node(self, moves: NDArray[np.int32]) -> Node:
        key = moves.tobytes()
        if key in self._nodes:
            self._nodes.move_to_end(key)
            return self._nodes[key]
        state = self._game.new_initial_state()
        for move in moves.tolist():
            state.apply_action(move)
        return self._keep(key, state, len(moves) % 2)

    def _child(self, moves: NDArray[np.int32], parent: Node, move: int) -> Node:
        key = moves.tobytes()
        if key in self._nodes:
            self._nodes.move_to_end(key)
            return self._nodes[key]
        return self._keep(key, parent.state.child(move), 1 - parent.mover)

    def _keep(self, key: bytes, state: Any, mover: int) -> Node:
        legal = np.zeros(self.spec.actions, np.bool_)
        legal[state.legal_actions()] = True
        node = self._nodes[key] = Node(state, mover, self._show(state, mover), legal)
        if len(self._nodes) > CACHED:
            self._nodes.popitem(last=False)
        return node


@dataclass(frozen=True)
class Planes:
    """Bool planes: the mover's pieces, the other's, the empty cells; and whose move it is.

    OpenSpiel's planes differ from game to game: `own` and `other` are theirs of the first and the
    second player, or with `relative` of the player who looks.
    """

    shape: tuple[int, ...]  # of OpenSpiel's tensor
    own: int
    other: int
    empty: int
    relative: bool = False
    tell_mover: bool = False
    """Another plane, full where the second player moves: for games whose goals differ."""

    def __call__(self, state: Any, mover: int) -> NDArray[Any]:
        planes = np.asarray(state.observation_tensor(mover), np.bool_).reshape(self.shape)
        turned = mover == 1 and not self.relative
        own, other = (self.other, self.own) if turned else (self.own, self.other)
        shown = planes[[own, other, self.empty]]
        if not self.tell_mover:
            return shown
        return np.concatenate([shown, np.full((1, *shown.shape[1:]), mover == 1)])


@dataclass(frozen=True)
class Tensors:
    """OpenSpiel's tensor for the player who moves, and the player's number as another entry.

    [C, H, W] gains a plane, anything else becomes flat and gains a number.
    """

    shape: tuple[int, ...]
    binary: bool

    def __call__(self, state: Any, mover: int) -> NDArray[Any]:
        kind = np.bool_ if self.binary else np.float32
        seen: NDArray[Any] = np.asarray(state.observation_tensor(mover), kind)
        if len(self.shape) != 3:
            return np.append(seen, kind(mover))
        planes = seen.reshape(self.shape)
        return np.concatenate([planes, np.full((1, *planes.shape[1:]), mover, kind)])


@dataclass(frozen=True)
class GameFacts:
    """What a file needs to know of a game before it is built."""

    tensor: tuple[int, ...]
    actions: int
    horizon: int
    bounds: tuple[float, float]
    binary: bool
    """Whether all entries of its tensor are 0 or 1, in the games that were tried."""


def game_string(name: str, parameters: dict[str, Any]) -> str:
    """OpenSpiel's own spelling: name(key=value,...)."""
    inside = ",".join(f"{key}={value}" for key, value in sorted(parameters.items()))
    return f"{name}({inside})" if inside else name


def examine(name: str, parameters: dict[str, Any]) -> GameFacts:
    """What a game is. Raises Misfit where it is not one that the workbench can play."""
    known = pyspiel.registered_names()
    if name not in known:
        raise Misfit(f"OpenSpiel has no game '{name}'{nearest(name, known)}")
    allowed = next(kind for kind in pyspiel.registered_games() if kind.short_name == name)
    for key, value in parameters.items():
        _check_parameter(name, allowed.parameter_specification, key, value)
    return _facts(name, game_string(name, parameters))


def _check_parameter(name: str, allowed: dict[str, Any], key: str, value: Any) -> None:
    if key not in allowed:
        has = ", ".join(sorted(allowed)) or "none"
        raise Misfit(f"game '{name}' has no parameter '{key}'{nearest(key, allowed)} it has: {has}")
    default = allowed[key]
    if default is not None and type(value) is not type(default):
        kind = type(default).__name__
        raise Misfit(f"parameter '{key}' of game '{name}' must be of type {kind}, found {value!r}")


@cache
def _facts(name: str, string: str) -> GameFacts:
    try:
        game = pyspiel.load_game(string)
    except Exception as error:  # OpenSpiel's errors share no narrower class
        raise Misfit(f"OpenSpiel cannot load '{string}': {str(error).splitlines()[0]}") from None
    kind = game.get_type()
    wanted = {
        "moves by turns": kind.dynamics == pyspiel.GameType.Dynamics.SEQUENTIAL,
        "no chance": kind.chance_mode == pyspiel.GameType.ChanceMode.DETERMINISTIC,
        "no hidden information": (
            kind.information == pyspiel.GameType.Information.PERFECT_INFORMATION
        ),
        "two players": game.num_players() == 2,
        "one player's gain the other's loss": kind.utility == pyspiel.GameType.Utility.ZERO_SUM,
        "an observation tensor": kind.provides_observation_tensor,
    }
    lacking = [what for what, holds in wanted.items() if not holds]
    if lacking:
        raise Misfit(f"game '{string}' does not fit environment 'openspiel': {_lack(lacking)}")
    return GameFacts(
        tuple(game.observation_tensor_shape()),
        game.num_distinct_actions(),
        game.max_game_length(),
        (game.min_utility(), game.max_utility()),
        _try_out(game, string),
    )


def _lack(lacking: list[str]) -> str:
    return "it needs " + ", ".join(lacking)


TRIED = 20
"""Random games by which it is seen whether turns alternate and tensors are binary."""


def _try_out(game: Any, string: str) -> bool:
    """Whether tensors are binary. Raises Misfit where a player moves twice in a row."""
    random, binary = np.random.default_rng(0), True
    for _ in range(TRIED):
        state, mover = game.new_initial_state(), 0
        for _ in range(500):
            if state.is_terminal():
                break
            if state.current_player() != mover:
                raise Misfit(
                    f"game '{string}' does not fit environment 'openspiel': a player may move "
                    "twice in a row, and models take turns to alternate"
                )
            tensor = np.asarray(state.observation_tensor(mover))
            binary = binary and bool(np.isin(tensor, (0, 1)).all())
            state.apply_action(int(random.choice(state.legal_actions())))
            mover = 1 - mover
    return binary
