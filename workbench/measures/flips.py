"""How deep the truth would still change the move."""

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


@register("measure", "flips")
class Flips(MeasureConfig):
    """How often the search chooses otherwise where one depth of its tree is told the truth."""

    depth: Positive = Field(3, description="greatest depth of the tree that is told the truth")
    simulations: Positive = Field(25, description="of one search")
    positions: Positive = Field(
        1000, description="positions of a frozen set, where there are too many to judge all"
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from oracle_misfits(self, trial.environment)
        yield from search_misfits(self, trial.planner)

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.exact.solved_positions import judged_positions
        from workbench.measures.interventions.flip_rate import FlipRate

        judged = judged_positions(parts, self.positions)
        return FlipRate(parts, judged, self.depth, self.simulations)
