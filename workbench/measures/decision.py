"""Measure `decision`: decision quality against the exact solution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field
from typing_extensions import override

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.requirements import oracle_incompatibilities
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, TrialParts


@register("measure", "decision")
class Decision(MeasureConfig):
    """Optimal-move rate and regret of prior and search; losing lines if all can be followed."""

    positions: Positive = Field(
        1000, description="number of evaluation positions, if not all can be solved"
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from oracle_incompatibilities(self, trial.environment)

    @override
    def build(self, parts: TrialParts) -> Measure:
        from workbench.measures.exact.decision_quality import DecisionQuality
        from workbench.measures.exact.solved_positions import solved_positions_of

        return DecisionQuality(parts.environment, solved_positions_of(parts, self.positions))
