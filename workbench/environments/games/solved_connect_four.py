"""Connect Four on six rows and seven columns with the BitBully solver as oracle."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from workbench.environments.games.openspiel_environment import MoveHistory, OpenSpielEnvironment
from workbench.types import ScoredEnvironment

CELLS = 42
"""Number of cells of the board."""


class SolvedConnectFour(OpenSpielEnvironment, ScoredEnvironment):
    """Connect Four with exact action values."""

    @override
    def q(self, state: MoveHistory) -> Tensor:
        """Return the optimal action values [B, 7] for the player to move; -inf if illegal.

        A win or loss after n more moves has the value gamma^(n-1) or -gamma^(n-1). The solver's
        scores assume that the winner hastens and the loser delays the end. This is optimal for the
        discounted value too.
        """
        scores = self.scores(state) if self._distance_matters else self._outcomes(state)
        return self.q_from_scores(state, scores)

    @override
    def value(self, state: MoveHistory) -> Tensor:
        """Return the optimal state values [B]; 0 if the game is over.

        One solver call per state is faster than the maximum of `q`.
        """
        score = [_score(moves, self._distance_matters) for moves in _move_sequences(state)]
        return self._value_of_score(torch.tensor(score), state.length).where(
            self.legal(state).any(-1), torch.zeros(())
        )

    @override
    def q_from_scores(self, state: MoveHistory, score: Tensor) -> Tensor:
        """Return `q` [B, 7], computed from the solver's scores [B, 7] of the same states."""
        q = self._value_of_score(score, state.length[:, None])
        return q.masked_fill(~self.legal(state), -torch.inf)

    @property
    def _distance_matters(self) -> bool:
        """Whether values depend on the distance to the end; else only the winner is computed."""
        return self._discount < 1

    def _value_of_score(self, score: Tensor, length: Tensor) -> Tensor:
        """Return the values of scores for the player to move after `length` moves."""
        # Number of pieces at the end of the game; its parity depends on who makes the last move.
        pieces = CELLS + 2 - 2 * score.abs() - (length + (score > 0).long()) % 2
        return (score.sign() * self._discount ** (pieces - length - 1).double()).float()

    def _outcomes(self, state: MoveHistory) -> Tensor:
        """Return 1, 0 or -1 if a move wins, draws or loses, [B, 7] int64; 0 if illegal."""
        outcomes = torch.zeros(len(state.length), self.spec.actions, dtype=torch.int64)
        games = _move_sequences(state)
        for row, move in self.legal(state).nonzero().tolist():
            outcomes[row, move] = -_score((*games[row], move), False)
        return outcomes.sign()

    @override
    def scores(self, state: MoveHistory) -> Tensor:
        """Return BitBully's scores for the player to move, [B, 7] int64; 0 if illegal.

        A draw scores 0, a win with the player's k-th piece 22 - k, and a loss by the opponent's
        k-th piece k - 22.
        """
        from bitbully import Board

        scores = torch.zeros(len(state.length), self.spec.actions, dtype=torch.int64)
        games = _move_sequences(state)
        for row in self.legal(state).any(-1).nonzero().flatten().tolist():
            for move, score in _solver().score_all_moves(Board(list(games[row]))).items():
                scores[row, move] = score
        return scores


def _move_sequences(state: MoveHistory) -> list[tuple[int, ...]]:
    """Return the moves of each row's game."""
    lengths = state.length.tolist()
    return [tuple(moves[:n]) for moves, n in zip(state.action.tolist(), lengths, strict=True)]


SCORE_CACHE_SIZE = 1 << 18
"""Positions whose scores a process caches, because searches revisit the same positions."""


@lru_cache(maxsize=SCORE_CACHE_SIZE)
def _score(moves: tuple[int, ...], exact: bool) -> int:
    """Return the score of a position for the player to move; unless `exact`, only its sign."""
    from bitbully import Board

    board = Board(list(moves))
    if board.is_game_over():
        return -1 if board.has_win() else 0
    score: int = _solver().negamax(board) if exact else _solver().negamax(board, -1, 1)
    return score


@cache
def _solver() -> Any:
    """Return the solver, one per process because its transposition table is large."""
    from bitbully import BitBully

    return BitBully("12-ply-dist")
