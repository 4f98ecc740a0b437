"""Decision quality against the exact solution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from workbench.components import MeasureConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "decision")
class Decision(MeasureConfig):
    """Optimal-move rate and regret of prior and search over all positions; losing lines."""

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        world = trial.environment.spec()
        if not (world.oracle and world.alternating):
            yield (
                f"measure 'decision' needs a two-player game with exact answers, which environment "
                f"'{trial.environment.component}' is not"
            )

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.exact.decision import DecisionQuality
        from workbench.types import SolvedEnvironment

        return DecisionQuality(cast(SolvedEnvironment, parts.environment))
