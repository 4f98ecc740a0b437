"""What a larger search is worth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.requirements import BUDGETS, oracle_misfits, search_misfits
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts

Budget = Annotated[int, Field(ge=0)]


@register("measure", "search_budget")
class SearchBudget(MeasureConfig):
    """Decision quality by the simulations of a search, and what the search adds to the prior."""

    simulations: list[Budget] = Field(
        default_factory=lambda: [0, *BUDGETS],
        description="of one search each; 0 is the prior alone",
    )
    positions: Positive = Field(
        1000, description="positions of a frozen set, where there are too many to judge all"
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from oracle_misfits(self, trial.environment)
        yield from search_misfits(self, trial.planner)

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.exact.quality_by_budget import QualityByBudget
        from workbench.measures.exact.solved_positions import judged_positions

        return QualityByBudget(parts, judged_positions(parts, self.positions), self.simulations)
