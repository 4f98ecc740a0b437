"""A small two-player game as tables over all its reachable states, made from OpenSpiel's rules.

A state is then a number, a step a look-up, and minimax a few sweeps: batches of any size are
stepped, searched and judged exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyspiel
import torch
from torch import Tensor

from workbench.environments.games.openspiel_environment import Show
from workbench.environments.tabular.tabular_environment import Tables, TabularWorlds
from workbench.types import EnvironmentSpec


@dataclass(frozen=True)
class GameTable(Tables):
    """Every state reachable by legal moves, in order of the ply at which it is first met."""

    mover: Tensor  # [S] 0 or 1; at a terminal state, who would have moved
    moves: tuple[tuple[int, ...], ...]  # S, by which the state is first met
    game: str  # OpenSpiel's name


def enumerate_game(name: str, show: Show, limit: int = 1_000_000) -> GameTable:
    """Visit every state of a deterministic OpenSpiel game of two alternating players.

    Args:
        show: what the mover sees of a state.

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
        torch.tensor(np.stack([show(s, m) for s, m in zip(states, movers, strict=True)])),
        torch.tensor([0]),
        torch.tensor(movers),
        tuple(moves),
        name,
    )


class TableEnvironment(TabularWorlds):
    """A `GameTable` as a batched environment; a state is its number in the table, [B] int64."""

    def __init__(self, spec: EnvironmentSpec, table: GameTable, discount: float) -> None:
        super().__init__(spec, table, discount)
        self.table = table

    def worlds(self, state: Tensor) -> list[pyspiel.State]:
        """OpenSpiel's states, the caller's own, one a row."""
        found = []
        for row in state.tolist():
            world = pyspiel.load_game(self.table.game).new_initial_state()
            for move in self.table.moves[row]:
                world.apply_action(move)
            found.append(world)
        return found
