"""Connect Four on six rows and seven columns, solved by BitBully."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from workbench.environments.games.spiel import History, SpielEnvironment

CELLS = 42


class SolvedConnectFour(SpielEnvironment):
    """The game with the exact worth of every move."""

    def q(self, state: History) -> Tensor:
        """[B, 7] the exact worth of every move to the mover, -inf where it is illegal.

        A win or loss n moves ahead is worth gamma^(n-1), with its sign, to the mover: as the loser
        puts it off and the winner hurries, which is how a score counts, that is the discounted
        worth under perfect play.
        """
        return self.worth(state, self.scores(state))

    def worth(self, state: History, score: Tensor) -> Tensor:
        """`q` by the solver's scores [B, 7] of the same states."""
        made = state.length[:, None]
        # Pieces on the board at the end; whether even or odd, tells who makes the last move.
        pieces = CELLS + 2 - 2 * score.abs() - (made + (score > 0).long()) % 2
        worth = (score.sign() * self._discount ** (pieces - made - 1).double()).float()
        return worth.masked_fill(~self.legal(state), -torch.inf)

    def scores(self, state: History) -> Tensor:
        """[B, 7] int64, BitBully's score of every move to the mover, 0 where it is illegal.

        A draw is 0, a win with the mover's k-th piece 22 - k, a loss by the other's
        k-th piece k - 22.
        """
        from bitbully import Board

        found = torch.zeros(len(state.length), self.spec.actions, dtype=torch.int64)
        going, moves = self.legal(state).any(-1), state.action.tolist()
        for row in going.nonzero().flatten().tolist():
            board = Board(moves[row][: int(state.length[row])])
            for move, score in _solver().score_all_moves(board).items():
                found[row, move] = score
        return found


@cache
def _solver() -> Any:
    """One a process: its table of positions is large, and every question is the same game's."""
    from bitbully import BitBully

    return BitBully("12-ply-dist")
