"""Measure `matches`: score against fixed opponents in two-player games."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from pydantic import Field
from typing_extensions import override

from workbench.components import Positive
from workbench.measures.exact.requirements import budgets, search_incompatibilities
from workbench.measures.play.match_options import MatchOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, TrialParts


@register("measure", "matches")
class Matches(MatchOptions):
    """Score of greedy play against random moves and against OpenSpiel's MCTS."""

    simulations: list[Positive] = Field(
        default_factory=list,
        description="search budgets that play too, besides the planner's own",
    )

    @classmethod
    @override
    def for_evaluation(cls, trial: TrialConfig) -> Self:
        given = trial.measures.get(cls.component)
        mine = given if isinstance(given, cls) else cls(mcts_rollouts=[10, 100])
        return mine.model_copy(
            update={
                "oracle": trial.environment.spec().enumerable,
                "simulations": budgets(trial.planner),
            }
        )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from self.unplayable(trial.environment)
        if self.simulations:
            yield from search_incompatibilities(self, trial.planner)

    @override
    def build(self, parts: TrialParts) -> Measure:
        from workbench.measures.play.decision_rules import planner_with
        from workbench.measures.play.match_score import MatchScore

        return MatchScore(
            parts.environment,
            self.games,
            self.opening_moves,
            self.mcts_rollouts,
            self.prior,
            self.oracle,
            {many: planner_with(parts, many) for many in self.simulations},
        )
