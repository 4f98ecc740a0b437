"""Which part of a trained agent loses the decisions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.requirements import oracle_misfits, search_misfits
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "transplant")
class Transplant(MeasureConfig):
    """Regret with dynamics, prior and value replaced in all ways, and what it owes to each."""

    simulations: list[Annotated[int, Field(ge=0)]] = Field(
        default_factory=lambda: [0, 25], description="of one search each; 0 is the prior alone"
    )
    positions: Positive = Field(
        1000, description="positions of a frozen set, where there are too many to judge all"
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from oracle_misfits(self, trial.environment)
        yield from search_misfits(self, trial.planner)

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.exact.solved_positions import judged_positions
        from workbench.measures.interventions.regret_by_part import RegretByPart

        return RegretByPart(parts, judged_positions(parts, self.positions), self.simulations)
