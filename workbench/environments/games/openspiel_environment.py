"""Any deterministic OpenSpiel game of two alternating players as a batched environment.

A state is the sequence of moves, so it can be gathered, stored and searched like any tensor.
OpenSpiel's own states are kept in a cache. A missing one is rebuilt by replaying its moves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyspiel
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from typing_extensions import override

from workbench.errors import illegal_actions
from workbench.types import Environment, EnvironmentSpec, Transition

CACHE_SIZE = 65_536
"""Maximum number of OpenSpiel states in the cache of one environment."""

ObservationFunction = Callable[[Any, int], NDArray[Any]]
"""Function from an OpenSpiel state and a player (0 or 1) to the observation [*observation]."""


@dataclass(frozen=True)
class MoveHistory:
    """The moves of each game since its initial position."""

    action: Tensor  # [B, max game length] int32, -1 past the end
    length: Tensor  # [B] int64, number of moves


@dataclass(frozen=True)
class CachedState:
    """An OpenSpiel state with its observation and legal moves."""

    state: Any
    player: int  # OpenSpiel's index of the player to move; in a terminal state, who would be next
    observation: NDArray[Any]  # [*observation]
    legal: NDArray[np.bool_]  # [A]

    @property
    def terminal(self) -> bool:
        """Whether the game is over."""
        return bool(self.state.is_terminal())


class OpenSpielEnvironment(Environment):
    """A batch of plays of one OpenSpiel game.

    Args:
        game: name and parameters of the game in OpenSpiel's notation, see `game_string`.
        observe: observation of a state for the player to move.
    """

    def __init__(
        self, spec: EnvironmentSpec, game: str, observe: ObservationFunction, discount: float
    ) -> None:
        self.spec = spec
        self._game, self._observe, self._discount = pyspiel.load_game(game), observe, discount
        self._first = self._game.new_initial_state().current_player()  # 1 in chess: white
        self._cache: OrderedDict[bytes, CachedState] = OrderedDict()

    @override
    def reset(self, batch: int, generator: Generator) -> MoveHistory:
        max_length = self._game.max_game_length()
        action = torch.full((batch, max_length), -1, dtype=torch.int32)
        return MoveHistory(action, torch.zeros(batch, dtype=torch.int64))

    @override
    def step(
        self, state: MoveHistory, action: Tensor, generator: Generator
    ) -> tuple[MoveHistory, Transition]:
        """Return the next states and the transitions.

        Raises:
            ValueError: an action is illegal in a non-terminal state.
        """
        moves, length = state.action.numpy().copy(), state.length.numpy().copy()
        reward, terminal = np.zeros(len(length), np.float32), np.zeros(len(length), np.bool_)
        moved = np.zeros(len(length), np.bool_)
        illegal = []
        for row, move in enumerate(action.tolist()):
            parent = self._lookup(moves[row, : length[row]])
            if parent.terminal:
                terminal[row] = True
            elif not parent.legal[move]:
                illegal.append(row)
            else:
                moves[row, length[row]] = move
                length[row] += 1
                moved[row] = True
                child = self._lookup_child(moves[row, : length[row]], parent, move)
                terminal[row] = child.terminal
                reward[row] = child.state.player_reward(parent.player)
        if illegal:
            raise illegal_actions(illegal)
        terminated = torch.from_numpy(terminal)
        return MoveHistory(torch.from_numpy(moves), torch.from_numpy(length)), Transition(
            reward=torch.from_numpy(reward),
            discount=-self._discount * torch.from_numpy(~terminal & moved).float(),
            terminated=terminated,
            truncated=torch.zeros_like(terminated),
        )

    @override
    def observe(self, state: MoveHistory) -> Tensor:
        return torch.from_numpy(
            np.stack([cached.observation for cached in self._lookup_batch(state)])
        )

    @override
    def legal(self, state: MoveHistory) -> Tensor:
        return torch.from_numpy(np.stack([cached.legal for cached in self._lookup_batch(state)]))

    @override
    def chance(self, state: MoveHistory) -> None:
        return None

    def openspiel_states(self, state: MoveHistory) -> list[Any]:
        """Return a new OpenSpiel state for each row; the caller may modify it."""
        return [cached.state.clone() for cached in self._lookup_batch(state)]

    def after_moves(self, games: Sequence[Sequence[int]]) -> MoveHistory:
        """Return the states after the given sequences of moves, one per row."""
        state = self.reset(len(games), Generator())
        for row, moves in enumerate(games):
            state.action[row, : len(moves)] = torch.tensor(moves, dtype=torch.int32)
            state.length[row] = len(moves)
        return state

    def _lookup_batch(self, state: MoveHistory) -> list[CachedState]:
        moves, length = state.action.numpy(), state.length.tolist()
        return [self._lookup(moves[row, :n]) for row, n in enumerate(length)]

    def _lookup(self, moves: NDArray[np.int32]) -> CachedState:
        key = moves.tobytes()
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        state = self._game.new_initial_state()
        for move in moves.tolist():
            state.apply_action(move)
        return self._insert(key, state, (self._first + len(moves)) % 2)

    def _lookup_child(
        self, moves: NDArray[np.int32], parent: CachedState, move: int
    ) -> CachedState:
        key = moves.tobytes()
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        return self._insert(key, parent.state.child(move), 1 - parent.player)

    def _insert(self, key: bytes, state: Any, player: int) -> CachedState:
        legal = np.zeros(self.spec.actions, np.bool_)
        legal[state.legal_actions()] = True
        cached = CachedState(state, player, self._observe(state, player), legal)
        self._cache[key] = cached
        if len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)
        return cached


@dataclass(frozen=True)
class BoardPlanes:
    """Observation as bool planes: own pieces, the opponent's pieces, empty cells, player to move.

    The order of OpenSpiel's planes differs between games.
    """

    shape: tuple[int, ...]
    """Shape of OpenSpiel's observation tensor."""
    own: int
    """Index of OpenSpiel's plane of the first player, or of the observer if `relative`."""
    other: int
    """Index of OpenSpiel's plane of the second player, or of the opponent if `relative`."""
    empty: int
    """Index of OpenSpiel's plane of the empty cells."""
    relative: bool = False
    """Whether OpenSpiel's planes are relative to the observer."""
    player_plane: bool = False
    """Whether to append a plane of ones if the second player is to move.

    Needed for games in which the two players have different goals.
    """

    def __call__(self, state: Any, player: int) -> NDArray[Any]:
        """Return the observation of `player`, [3, H, W] or [4, H, W]."""
        planes = np.asarray(state.observation_tensor(player), np.bool_).reshape(self.shape)
        swap = player == 1 and not self.relative
        own, other = (self.other, self.own) if swap else (self.own, self.other)
        observation = planes[[own, other, self.empty]]
        if not self.player_plane:
            return observation
        player_plane = np.full((1, *observation.shape[1:]), player == 1)
        return np.concatenate([observation, player_plane])


@dataclass(frozen=True)
class OpenSpielTensor:
    """Observation as OpenSpiel's tensor for the player to move, plus the index of that player.

    A [C, H, W] tensor gets one more plane. Any other is flattened and gets one more entry.
    """

    shape: tuple[int, ...]
    """Shape of OpenSpiel's observation tensor."""
    binary: bool
    """Whether the observation is bool; else it is float32."""

    def __call__(self, state: Any, player: int) -> NDArray[Any]:
        """Return the observation of `player`, [C + 1, H, W] or [D + 1]."""
        dtype = np.bool_ if self.binary else np.float32
        tensor: NDArray[Any] = np.asarray(state.observation_tensor(player), dtype)
        if len(self.shape) != 3:
            return np.append(tensor, dtype(player))
        planes = tensor.reshape(self.shape)
        return np.concatenate([planes, np.full((1, *planes.shape[1:]), player, dtype)])
