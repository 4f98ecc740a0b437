"""Connect Four on six rows and seven columns, solved by BitBully."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from workbench.environments.games.openspiel_environment import History, SpielEnvironment

CELLS = 42


class SolvedConnectFour(SpielEnvironment):
    """The game with the exact worth of every move."""

    def q(self, state: History) -> Tensor:
        """[B, 7] the exact worth of every move to the mover, -inf where it is illegal.

        A win or loss n moves ahead is worth gamma^(n-1), with its sign, to the mover: as the loser
        puts it off and the winner hurries, which is how a score counts, that is the discounted
        worth under perfect play.
        """
        return self.worth(state, self.scores(state) if self._hurried else self._outcomes(state))

    def value(self, state: History) -> Tensor:
        """[B] the greatest of `q`, 0 where the game is over; sought without the moves' own."""
        score = [_score(moves, self._hurried) for moves in _made(state)]
        return self._discounted(torch.tensor(score), state.length).where(
            self.legal(state).any(-1), torch.zeros(())
        )

    def worth(self, state: History, score: Tensor) -> Tensor:
        """`q` by the solver's scores [B, 7] of the same states."""
        worth = self._discounted(score, state.length[:, None])
        return worth.masked_fill(~self.legal(state), -torch.inf)

    @property
    def _hurried(self) -> bool:
        """Whether a win is worth more the sooner it comes: else only who wins is sought."""
        return self._discount < 1

    def _discounted(self, score: Tensor, made: Tensor) -> Tensor:
        """What a score is worth to the mover after so many moves."""
        # Pieces on the board at the end; whether even or odd, tells who makes the last move.
        pieces = CELLS + 2 - 2 * score.abs() - (made + (score > 0).long()) % 2
        return (score.sign() * self._discount ** (pieces - made - 1).double()).float()

    def _outcomes(self, state: History) -> Tensor:
        """[B, 7] int64, 1, 0 or -1: how every move ends for the mover; 0 where it is illegal."""
        found = torch.zeros(len(state.length), self.spec.actions, dtype=torch.int64)
        games = _made(state)
        for row, move in self.legal(state).nonzero().tolist():
            found[row, move] = -_score((*games[row], move), False)
        return found.sign()

    def scores(self, state: History) -> Tensor:
        """[B, 7] int64, BitBully's score of every move to the mover, 0 where it is illegal.

        A draw is 0, a win with the mover's k-th piece 22 - k, a loss by the other's
        k-th piece k - 22.
        """
        from bitbully import Board

        found = torch.zeros(len(state.length), self.spec.actions, dtype=torch.int64)
        games = _made(state)
        for row in self.legal(state).any(-1).nonzero().flatten().tolist():
            for move, score in _solver().score_all_moves(Board(list(games[row]))).items():
                found[row, move] = score
        return found


def _made(state: History) -> list[tuple[int, ...]]:
    """The moves of every row's game."""
    lengths = state.length.tolist()
    return [tuple(moves[:n]) for moves, n in zip(state.action.tolist(), lengths, strict=True)]


REMEMBERED = 1 << 18
"""Positions whose worth a process remembers: searches of the same roots ask again and again."""


@lru_cache(maxsize=REMEMBERED)
def _score(moves: tuple[int, ...], exact: bool) -> int:
    """The score of a position to the mover; where it need not be exact, only its sign holds."""
    from bitbully import Board

    board = Board(list(moves))
    if board.is_game_over():
        return -1 if board.has_win() else 0
    found: int = _solver().negamax(board) if exact else _solver().negamax(board, -1, 1)
    return found


@cache
def _solver() -> Any:
    """One a process: its table of positions is large, and every question is the same game's."""
    from bitbully import BitBully

    return BitBully("12-ply-dist")
