"""Decision quality against the exact solution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.requirements import oracle_misfits
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "decision")
class Decision(MeasureConfig):
    """Optimal-move rate and regret of prior and search; losing lines where all can be followed."""

    positions: Positive = Field(
        1000, description="positions of a frozen set, where there are too many to judge all"
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from oracle_misfits(self, trial.environment)

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.exact.decision_quality import DecisionQuality
        from workbench.measures.exact.solved_positions import judged_positions

        return DecisionQuality(parts.environment, judged_positions(parts, self.positions))
