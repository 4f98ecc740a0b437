"""The error of a model where it can cost a decision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.requirements import oracle_misfits
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "relevant_error")
class RelevantError(MeasureConfig):
    """Error of the imagined worth of moves, weighted by visits and by what is at stake."""

    version: ClassVar[int] = 2

    positions: Positive = Field(
        1000, description="positions of a frozen set, where there are too many to judge all"
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from oracle_misfits(self, trial.environment)

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.exact.solved_positions import judged_positions
        from workbench.measures.exact.weighted_error import DecisionRelevantError

        cut = getattr(parts.config.planner, "use_predicted_termination", False)
        return DecisionRelevantError(judged_positions(parts, self.positions), cut)
