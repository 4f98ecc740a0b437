"""A small two-player game as tables over all its reachable states, made from OpenSpiel's rules.

A state is then a number, a step a look-up, and minimax one backward pass: batches of any size are
stepped, searched and judged exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyspiel
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Generator, Tensor

from workbench.types import EnvironmentSpec, Transition


@dataclass(frozen=True)
class GameTable:
    """Every state reachable by legal moves, in order of the ply at which it is first met."""

    successor: Tensor  # [S, A] int64; itself where the move is illegal or the state terminal
    reward: Tensor  # [S, A] to the mover
    legal: Tensor  # [S, A] bool
    terminal: Tensor  # [S] bool
    mover: Tensor  # [S] 0 or 1; at a terminal state, who would have moved
    observation: Tensor  # [S, *observation] bool, mover-relative
    moves: tuple[tuple[int, ...], ...]  # S, by which the state is first met
    game: str  # OpenSpiel's name

    @property
    def size(self) -> int:
        return len(self.terminal)


def enumerate_game(name: str, limit: int = 1_000_000) -> GameTable:
    """Visit every state of a deterministic OpenSpiel game of two alternating players.

    Raises:
        ValueError: there are more than `limit` states.
    """
    game = pyspiel.load_game(name)
    states = [game.new_initial_state()]
    movers = [0]
    moves: list[tuple[int, ...]] = [()]
    index = {str(states[0]): 0}
    actions = game.num_distinct_actions()
    successor, reward, legal = [], [], []
    for here, state in enumerate(states):  # grows while it is walked: breadth first
        successor.append([here] * actions)
        reward.append([0.0] * actions)
        legal.append([False] * actions)
        for action in state.legal_actions():
            child = state.child(action)
            there = index.setdefault(str(child), len(states))
            if there == len(states):
                states.append(child)
                movers.append(1 - movers[here])
                moves.append((*moves[here], action))
                if there > limit:
                    raise ValueError(f"{name} has more than {limit} states")
            successor[here][action] = there
            reward[here][action] = child.player_reward(movers[here])
            legal[here][action] = True
    return GameTable(
        torch.tensor(successor),
        torch.tensor(reward),
        torch.tensor(legal),
        torch.tensor([state.is_terminal() for state in states]),
        torch.tensor(movers),
        torch.tensor(np.stack([_observation(s, m) for s, m in zip(states, movers, strict=True)])),
        tuple(moves),
        name,
    )


def _observation(state: pyspiel.State, mover: int) -> np.ndarray:
    """Planes [3, H, W]: the mover's stones, the opponent's, the empty cells.

    OpenSpiel's own planes are empty, second player, first player, whoever moves.
    """
    shape = state.get_game().observation_tensor_shape()
    empty, second, first = np.asarray(state.observation_tensor(0), np.float32).reshape(shape)
    own, other = (first, second) if mover == 0 else (second, first)
    return np.stack([own, other, empty]).astype(np.bool_)


class TableEnvironment:
    """A `GameTable` as a batched environment; a state is its number in the table, [B] int64."""

    def __init__(self, spec: EnvironmentSpec, table: GameTable, discount: float) -> None:
        self.spec = spec
        self.table = table
        going_on = -discount * (~table.terminal[table.successor]).float()
        self._discount = going_on * (~table.terminal).float()[:, None]
        self._q = self._minimax()
        tables = (table.successor, table.reward, self._discount, table.legal, table.terminal)
        self._tables = tuple(tensor.numpy() for tensor in tables)

    def reset(self, batch: int, generator: Generator) -> Tensor:
        return torch.zeros(batch, dtype=torch.int64)

    def step(
        self, state: Tensor, action: Tensor, generator: Generator
    ) -> tuple[Tensor, Transition]:
        """Raises ValueError for an illegal move; a terminal state stays as it is."""
        illegal, *found = _look_up(state.numpy(), action.numpy(), *self._tables)
        if illegal:
            allowed = self.table.legal[state, action] | self.table.terminal[state]
            raise ValueError(f"illegal move in rows {(~allowed).nonzero().flatten().tolist()}")
        then, reward, discount, ended, cut = map(torch.from_numpy, found)
        return then, Transition(reward, discount, ended, cut)

    def observe(self, state: Tensor) -> Tensor:
        return self.table.observation.index_select(0, state)

    def legal(self, state: Tensor) -> Tensor:
        return self.table.legal.index_select(0, state)

    def chance(self, state: Tensor) -> None:
        return None

    def worlds(self, state: Tensor) -> list[pyspiel.State]:
        """OpenSpiel's states, the caller's own, one a row."""
        found = []
        for row in state.tolist():
            world = pyspiel.load_game(self.table.game).new_initial_state()
            for move in self.table.moves[row]:
                world.apply_action(move)
            found.append(world)
        return found

    def positions(self) -> Tensor:
        """Every non-terminal reachable state."""
        return (~self.table.terminal).nonzero().flatten()

    def q(self, state: Tensor) -> Tensor:
        """[B, A] the exact worth of every move to the mover, -inf where it is illegal."""
        return self._q[state]

    def _minimax(self) -> Tensor:
        q = self.table.reward.masked_fill(~self.table.legal, -torch.inf)
        value = torch.zeros(self.table.size)
        # A successor stands later in the table than its predecessor, so backwards is bottom up.
        for state in reversed(range(self.table.size)):
            if not self.table.terminal[state]:
                q[state] += self._discount[state] * value[self.table.successor[state]]
                value[state] = q[state].max()
        return q


@njit(cache=True)
def _look_up(
    state: NDArray[np.int64],
    action: NDArray[np.int64],
    successor: NDArray[np.int64],
    reward: NDArray[np.float32],
    discount: NDArray[np.float32],
    legal: NDArray[np.bool_],
    terminal: NDArray[np.bool_],
) -> tuple[Any, ...]:
    """One step [B]: how many moves are illegal, then state, reward, discount, ended, cut."""
    count, illegal = len(state), 0
    then, ended = np.empty(count, np.int64), np.empty(count, np.bool_)
    gained, onward = np.empty(count, np.float32), np.empty(count, np.float32)
    for row in range(count):
        here, move = state[row], action[row]
        if not 0 <= move < legal.shape[1]:
            return count, then, gained, onward, ended, ended
        illegal += not (legal[here, move] or terminal[here])
        then[row] = successor[here, move]
        ended[row] = terminal[then[row]]
        gained[row], onward[row] = reward[here, move], discount[here, move]
    return illegal, then, gained, onward, ended, np.zeros(count, np.bool_)
