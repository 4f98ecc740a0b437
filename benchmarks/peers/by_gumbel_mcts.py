"""gumbel-mcts, which searches games by their rules and has no latents.

Its game here is a board of 64 numbers and the last action. The step of the rules records the
action, and the network's call performs the whole simulation, dynamics and heads. The new latent
cannot be written into its tree, so positions differ from those of the other searches: the work per
simulation is the same, the tree is not. Its Gumbel noise cannot be turned off.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gumbel_mcts import PUCT, GumbelDense
from numba import njit
from torch import Generator, Tensor

from benchmarks import networks
from benchmarks.peers.exchange import ROOTS, SIMULATIONS, Arrays, Case, Searcher

C_SCALE = 0.1
"""The setting of mctx and the workbench; the library's default is 1."""


def prepare(arrays: Arrays, case: Case) -> Searcher:
    """Prepare the searcher of a case."""
    game, players = _Game(case.actions), list(range(case.batch))
    network = _Network(arrays, game)
    nodes = case.batch * (SIMULATIONS + 2) + 1
    tree = (
        PUCT(case.batch, nodes, game, device="cpu")
        if case.planner == "puct"
        else GumbelDense(case.batch, nodes, game, device="cpu", c_scale=C_SCALE)
    )
    boards = np.zeros((case.batch, 65), np.float32)
    boards[:, :64] = arrays[ROOTS][: case.batch]

    def search() -> Any:
        tree.reset()
        tree.initialize_roots(players, boards, np.ones(case.batch, np.int64))
        tree.run_simulation_batch(network, players, num_simulations=SIMULATIONS)
        return tree

    return Searcher(search, _depth)


class _Game:
    """`gumbel_mcts.GameLogic`: every move is legal and no game ends."""

    BOARD_SHAPE, BOARD_DTYPE = (65,), np.float32
    MAX_MOVES, PLAYER_1, PLAYER_2 = 10_000, 1, 2

    def __init__(self, actions: int) -> None:
        self.NUM_ACTIONS = self.MAX_LEGAL_MOVES = actions
        every = np.ones(actions, np.float32)

        @njit
        def step(board: Any, action: Any, player: Any) -> Any:
            board[-1] = action
            return 0.0, 0, False, board

        @njit
        def legal(board: Any, player: Any) -> Any:
            return every

        self.fast_step, self.get_valid_mask = step, legal


class _Network:
    """`gumbel_mcts.MCTSModel`: the workbench's own model on torch, one step and its heads."""

    def __init__(self, arrays: Arrays, game: _Game) -> None:
        self.logic = game
        self._model = networks.mlp_model(game.NUM_ACTIONS)
        weights = {k: torch.from_numpy(v) for k, v in arrays.items() if k != ROOTS}
        self._model.load_state_dict(weights)
        self._generator = Generator()

    def forward_for_mcts(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        latent, action = batch["boards"][:, :64], batch["boards"][:, 64].long()
        then, _ = self._model.step(latent, action, self._generator)
        heads = self._model.predict(then)
        return {"policy": heads.policy.softmax(-1), "value": heads.value}


def _depth(tree: Any) -> float:
    used = int(tree.next_free_idx_arr[0])
    parents, root = tree.storage.parents[:used], np.arange(used)
    for node in range(1, used):
        if parents[node] >= 0:
            root[node] = root[parents[node]]
    deepest = np.zeros(used)
    np.maximum.at(deepest, root, tree.storage.depths[:used])
    return float(deepest[tree.storage.root_indices].mean())
