"""Decision quality against the exact solution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.needs import oracle_misfits
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
        unanswered = [*oracle_misfits(self, trial.environment)]
        yield from unanswered
        if not unanswered and not trial.environment.spec().alternating:
            yield (
                "measure 'decision' needs a game of two; environment "
                f"'{trial.environment.component}' has one side"
            )

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.exact.decision import DecisionQuality, FrozenDecisionQuality
        from workbench.measures.frozen.positions import kept_positions

        world: Any = parts.environment
        if world.spec.enumerable:
            return DecisionQuality(world)
        frozen = kept_positions(parts.config.environment, world, self.positions)
        return FrozenDecisionQuality(world, frozen)
