"""The return of greedy play in worlds with one side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.requirements import budgets, search_misfits
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "returns")
class Returns(MeasureConfig):
    """Mean undiscounted return of greedy play by search and by the bare prior."""

    version: ClassVar[int] = 2

    episodes: Positive = Field(20, description="episodes, which begin alike at every measurement")
    max_steps: Positive = Field(5000, description="an episode is left where it is after so many")
    prior: bool = Field(True, description="whether the bare prior plays too")

    simulations: list[Positive] = Field(
        default_factory=list,
        description="searches of these sizes play too, beside the planner as it is",
    )

    @classmethod
    def thorough(cls, trial: TrialConfig) -> Self:
        given = trial.measures.get(cls.component)
        mine = given if isinstance(given, cls) else cls()
        return mine.model_copy(update={"simulations": budgets(trial.planner)})

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        if trial.environment.spec().alternating:
            yield (
                "measure 'returns' is for worlds with one side; environment "
                f"'{trial.environment.component}' is a game of two, for which measure 'matches' is"
            )
        if self.simulations:
            yield from search_misfits(self, trial.planner)

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.play.decision_rules import planner_with
        from workbench.measures.play.episode_return import ReturnOfPlay

        return ReturnOfPlay(
            parts.config.environment,
            self.episodes,
            self.max_steps,
            self.prior,
            {many: planner_with(parts, many) for many in self.simulations},
        )
