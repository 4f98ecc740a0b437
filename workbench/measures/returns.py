"""Measure `returns`: return of greedy play in single-agent environments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field
from typing_extensions import override

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.requirements import budgets, search_incompatibilities
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, TrialParts


@register("measure", "returns")
class Returns(MeasureConfig):
    """Mean undiscounted return of greedy play by search and by the prior alone."""

    version: ClassVar[int] = 2

    episodes: Positive = Field(
        20, description="number of episodes, with the same initial states in every measurement"
    )
    max_steps: Positive = Field(
        5000, description="number of steps after which an episode is truncated"
    )
    prior: bool = Field(True, description="whether the prior alone plays too")

    simulations: list[Positive] = Field(
        default_factory=list,
        description="search budgets that play too, besides the planner's own",
    )

    @classmethod
    @override
    def for_evaluation(cls, trial: TrialConfig) -> Self:
        given = trial.measures.get(cls.component)
        mine = given if isinstance(given, cls) else cls()
        return mine.model_copy(update={"simulations": budgets(trial.planner)})

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        if trial.environment.spec().alternating:
            yield (
                "measure 'returns' is for single-agent environments, but environment "
                f"'{trial.environment.component}' is a two-player game; use measure 'matches'"
            )
        if self.simulations:
            yield from search_incompatibilities(self, trial.planner)

    @override
    def build(self, parts: TrialParts) -> Measure:
        from workbench.measures.play.decision_rules import planner_with
        from workbench.measures.play.episode_return import EpisodeReturn

        return EpisodeReturn(
            parts.config.environment,
            self.episodes,
            self.max_steps,
            self.prior,
            {many: planner_with(parts, many) for many in self.simulations},
        )
