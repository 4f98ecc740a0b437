"""Sequences of real actions with the true outcomes, the same for all trials."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor

from workbench.measures.evaluation_sets.digest import digest
from workbench.types import State, tree_leaves, tree_map

SOURCES = ("behaviour", "uniform", "oracle")
"""Sources of actions: a partly trained agent, a random player, a perfect player."""


@dataclass(frozen=True)
class EvaluationSet:
    """Rows are sequences, grouped by source; depth k = 0..K.

    A sequence continues to its end or to its last recorded step; later entries are undefined.
    """

    observation: Tensor  # [S, K+1, *observation]
    legal: Tensor  # [S, K+1, A] bool
    action: Tensor  # [S, K]
    reward: Tensor  # [S, K] of the action that leads to depth k+1
    discount: Tensor  # [S, K] after that action; 0 if it ended the episode
    before_end: Tensor  # [S, K+1] bool, the state is known and not terminal
    reached: Tensor  # [S, K] bool, the action was executed in such a state
    source: Tensor  # [S] int64 index into SOURCES
    game: (
        Tensor  # [S] int64 index of the game; -1 if each sequence starts from a position of its own
    )
    roots: Tensor  # [P] int64 rows that start at every position once
    state: State | None  # [S, K+1, ...] true environment states; None if they cannot be cloned
    value: (
        Tensor | None
    )  # [S, K+1] exact value for the player to move; 0 at the end; None without an oracle
    optimal: Tensor | None  # [S, K+1, A] bool, optimal actions

    @classmethod
    def blank(cls, state: State | None, exact: bool) -> Self:
        """Return an evaluation set with this structure and no rows."""
        empty = torch.empty(0)
        names = [one.name for one in fields(cls)]
        held: dict[str, Any] = dict.fromkeys(names, empty) | {"state": state}
        return cls(**held if exact else held | {"value": None, "optimal": None})

    def at(self, k: int) -> State | None:
        """[S, ...] Return the true states at depth k."""
        return tree_map(lambda states: states[:, k], self.state)

    @property
    def exact(self) -> bool:
        """Whether exact values are known.

        Oracles exist for deterministic environments only, in which a perfect model makes no error.
        """
        return self.value is not None

    @property
    def digest(self) -> str:
        """SHA-256 of the entries that determine all others."""
        seen = self.observation if self.state is None else self.state
        determining = (
            self.action,
            self.reward,
            self.before_end,
            self.reached,
            self.value,
            self.optimal,
        )
        # Exact values themselves depend on discounts and legal actions.
        rest = () if self.exact else (self.legal, self.discount)
        return digest(*tree_leaves((seen, *determining, *rest)))
