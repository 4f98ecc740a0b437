"""Measure `transplant`: regret of a trained agent after oracle substitutions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import override

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.requirements import oracle_incompatibilities, search_incompatibilities
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, TrialParts


@register("measure", "transplant")
class Transplant(MeasureConfig):
    """Regret with dynamics, prior and value replaced in all combinations, and its attribution."""

    simulations: list[Annotated[int, Field(ge=0, le=100_000)]] = Field(
        default_factory=lambda: [0, 25], description="numbers of simulations; 0 is the prior alone"
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
        from workbench.measures.exact.solved_positions import solved_positions_of
        from workbench.measures.interventions.regret_by_part import RegretByPart

        return RegretByPart(parts, solved_positions_of(parts, self.positions), self.simulations)
