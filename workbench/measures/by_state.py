"""Measure `by_state`: the agent's decisions position by position, for the gallery."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.requirements import oracle_incompatibilities, search_incompatibilities
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, TrialParts


@register("measure", "by_state")
class ByState(MeasureConfig):
    """Per position: board, exact action values, prior, visits, chosen move and its regret."""

    version: ClassVar[int] = 2

    simulations: Positive = Field(25, description="number of simulations per search")
    positions: Positive = Field(
        1000, description="number of evaluation positions, if not all can be solved"
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from oracle_incompatibilities(self, trial.environment)
        yield from search_incompatibilities(self, trial.planner)

    @override
    def build(self, parts: TrialParts) -> Measure:
        from workbench.measures.exact.per_position_record import PerPositionRecord
        from workbench.measures.exact.solved_positions import solved_positions_of

        return PerPositionRecord(
            parts, solved_positions_of(parts, self.positions), self.simulations
        )
