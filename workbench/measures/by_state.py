"""What the agent does in every position, for pictures of the costliest ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.requirements import oracle_misfits, search_misfits
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "by_state")
class ByState(MeasureConfig):
    """By position: board, exact worth of the moves, prior, visits, the move and what it costs."""

    simulations: Positive = Field(25, description="of one search")
    positions: Positive = Field(
        1000, description="positions of a frozen set, where there are too many to judge all"
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from oracle_misfits(self, trial.environment)
        yield from search_misfits(self, trial.planner)

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.exact.per_position_record import StateByState
        from workbench.measures.exact.solved_positions import judged_positions

        return StateByState(parts, judged_positions(parts, self.positions), self.simulations)
