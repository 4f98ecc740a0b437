"""The score against fixed opponents in games of two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workbench.measures.play.options import MatchOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "matches")
class Matches(MatchOptions):
    """Score of greedy play against random moves and against OpenSpiel's tree search."""

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from self.unplayable(trial.environment)

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.play.matches import MatchScore

        return MatchScore(
            parts.environment, self.games, self.opening, self.mcts_rollouts, self.prior
        )
