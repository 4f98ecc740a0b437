"""Measure `search_budget`: decision quality by number of simulations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import override

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.requirements import (
    BUDGETS,
    oracle_incompatibilities,
    search_incompatibilities,
)
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, TrialParts

Budget = Annotated[int, Field(ge=0, le=100_000)]


@register("measure", "search_budget")
class SearchBudget(MeasureConfig):
    """Decision quality by simulations of a search, and the search's gain over the prior."""

    simulations: list[Budget] = Field(
        default_factory=lambda: [0, *BUDGETS],
        description="numbers of simulations; 0 is the prior alone",
    )
    positions: Positive = Field(
        1000, description="number of evaluation positions, if not all can be solved"
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from oracle_incompatibilities(self, trial.environment)
        yield from search_incompatibilities(self, trial.planner)

    @override
    def build(self, parts: TrialParts) -> Measure:
        from workbench.measures.exact.quality_by_budget import QualityByBudget
        from workbench.measures.exact.solved_positions import solved_positions_of

        return QualityByBudget(parts, solved_positions_of(parts, self.positions), self.simulations)
