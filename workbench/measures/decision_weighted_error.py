"""Measure `decision_weighted_error`: model error where it can cost a decision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.requirements import oracle_incompatibilities
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, TrialParts


@register("measure", "decision_weighted_error")
class DecisionWeightedError(MeasureConfig):
    """Error of predicted action values, weighted by visits and by what is at stake."""

    version: ClassVar[int] = 2

    positions: Positive = Field(
        1000, description="number of evaluation positions, if not all can be solved"
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from oracle_incompatibilities(self, trial.environment)

    @override
    def build(self, parts: TrialParts) -> Measure:
        from workbench.measures.exact.solved_positions import solved_positions_of
        from workbench.measures.exact.weighted_error import WeightedError

        cut = getattr(parts.config.planner, "use_predicted_termination", False)
        return WeightedError(solved_positions_of(parts, self.positions), cut)
