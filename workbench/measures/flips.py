"""Measure `flips`: decision changes under oracle correction, by depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field
from typing_extensions import override

from workbench.components import Count, MeasureConfig, Positive
from workbench.measures.exact.requirements import oracle_incompatibilities, search_incompatibilities
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, TrialParts


@register("measure", "flips")
class Flips(MeasureConfig):
    """Share of decisions that change if an oracle corrects one depth of the tree."""

    depth: Count = Field(3, description="greatest depth of the tree that is corrected")
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
        from workbench.measures.exact.solved_positions import solved_positions_of
        from workbench.measures.interventions.flip_rate import FlipRate

        judged = solved_positions_of(parts, self.positions)
        return FlipRate(parts, judged, self.depth, self.simulations)
