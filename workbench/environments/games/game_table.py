"""A small two-player OpenSpiel game as lookup tables over all its reachable states.

A state is an index, a step is a table lookup, and minimax takes a few sweeps over the table.
Batches of any size can be stepped, searched and evaluated exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyspiel
import torch
from torch import Tensor

from workbench.environments.games.openspiel_environment import ObservationFunction
from workbench.environments.tabular.tabular_environment import TabularEnvironment, TransitionTables
from workbench.types import EnvironmentSpec


@dataclass(frozen=True)
class GameTable(TransitionTables):
    """All states reachable by legal moves, in breadth-first order."""

    player: Tensor  # [S] 0 or 1, the player to move; in a terminal state, who would be next
    moves: tuple[tuple[int, ...], ...]  # S sequences of moves, one that leads to each state
    game: str  # name and parameters in OpenSpiel's notation


def enumerate_game(name: str, observe: ObservationFunction, limit: int = 1_000_000) -> GameTable:
    """Return the table of all states of a deterministic OpenSpiel game of two alternating players.

    Args:
        name: name and parameters of the game in OpenSpiel's notation.
        observe: observation of a state for the player to move.
        limit: maximum number of states.

    Raises:
        ValueError: there are more than `limit` states.
    """
    game = pyspiel.load_game(name)
    states = [game.new_initial_state()]
    players = [0]
    moves: list[tuple[int, ...]] = [()]
    index = {str(states[0]): 0}
    actions = game.num_distinct_actions()
    successor, reward, legal = [], [], []
    for parent_index, state in enumerate(
        states
    ):  # `states` grows inside the loop: breadth-first search
        successor.append([parent_index] * actions)
        reward.append([0.0] * actions)
        legal.append([False] * actions)
        for action in state.legal_actions():
            child = state.child(action)
            child_index = index.setdefault(str(child), len(states))
            if child_index == len(states):
                states.append(child)
                players.append(1 - players[parent_index])
                moves.append((*moves[parent_index], action))
                if child_index > limit:
                    raise ValueError(f"game '{name}' has more than {limit} states")
            successor[parent_index][action] = child_index
            reward[parent_index][action] = child.player_reward(players[parent_index])
            legal[parent_index][action] = True
    return GameTable(
        torch.tensor(successor),
        torch.tensor(reward),
        torch.tensor(legal),
        torch.tensor([state.is_terminal() for state in states]),
        torch.tensor(np.stack([observe(s, p) for s, p in zip(states, players, strict=True)])),
        torch.tensor([0]),
        torch.tensor(players),
        tuple(moves),
        name,
    )


class GameTableEnvironment(TabularEnvironment):
    """A `GameTable` as a batched environment; states are table indices, [B] int64."""

    def __init__(self, spec: EnvironmentSpec, table: GameTable, discount: float) -> None:
        super().__init__(spec, table, discount)
        self.table = table

    def openspiel_states(self, state: Tensor) -> list[pyspiel.State]:
        """Return a new OpenSpiel state for each row; the caller may modify it."""
        states = []
        for index in state.tolist():
            spiel_state = pyspiel.load_game(self.table.game).new_initial_state()
            for move in self.table.moves[index]:
                spiel_state.apply_action(move)
            states.append(spiel_state)
        return states
