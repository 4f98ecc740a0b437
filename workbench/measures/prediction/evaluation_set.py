"""Sequences of real moves with the truth along them, the same for every trial."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor

from workbench.measures.evaluation_sets.digest import digest
from workbench.types import State, leaves, map_tensors

SOURCES = ("behaviour", "uniform", "oracle")
"""Where moves come from: a player who is still learning, chance, perfect play."""


@dataclass(frozen=True)
class EvaluationSet:
    """Rows are sequences, those of one source after those of another; depth k = 0..K.

    A sequence goes on to its end, or as far as it was followed; past that nothing is to be read.
    """

    observation: Tensor  # [S, K+1, *observation]
    legal: Tensor  # [S, K+1, A] bool
    action: Tensor  # [S, K]
    reward: Tensor  # [S, K] of the move that leads to depth k+1
    discount: Tensor  # [S, K] after that move; 0 where it ended the episode
    before_end: Tensor  # [S, K+1] bool, it is known where the world stands, and that is no end
    reached: Tensor  # [S, K] bool, the move was made from such a state
    source: Tensor  # [S] int64, which of SOURCES the moves come from
    game: Tensor  # [S] int64, which game it is of; -1 where each goes on from a position of its own
    roots: Tensor  # [P] int64, rows that begin at every position once
    state: State | None  # [S, K+1, ...] where the world truly stands; None if states go only on
    value: Tensor | None  # [S, K+1] exact, to the mover; 0 at the end. None without an oracle
    optimal: Tensor | None  # [S, K+1, A] bool, the moves that are worth the most

    @classmethod
    def blank(cls, state: State | None, exact: bool) -> Self:
        """One of this form that holds nothing."""
        empty = torch.empty(0)
        names = [one.name for one in fields(cls)]
        held: dict[str, Any] = dict.fromkeys(names, empty) | {"state": state}
        return cls(**held if exact else held | {"value": None, "optimal": None})

    def at(self, k: int) -> State | None:
        """[S, ...] where the world stands at depth k."""
        return map_tensors(lambda states: states[:, k], self.state)

    @property
    def exact(self) -> bool:
        """Whether an oracle has told what moves are worth, which it does of deterministic worlds
        only: there a perfect model makes no error."""
        return self.value is not None

    @property
    def digest(self) -> str:
        """SHA-256 of all that the rest follows from."""
        seen = self.observation if self.state is None else self.state
        told = (self.action, self.reward, self.before_end, self.reached, self.value, self.optimal)
        # Exact values hang on discounts and legal moves themselves.
        rest = () if self.exact else (self.legal, self.discount)
        return digest(*leaves((seen, *told, *rest)))
