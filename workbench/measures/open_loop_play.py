"""How long an agent can do without seeing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from workbench.components import Positive
from workbench.measures.play.match_options import MatchOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "blindfold")
class Blindfold(MatchOptions):
    """Return, or score against random moves, when only every n-th observation is shown.

    Between them the agent imagines where the moves lead (de Vries et al. 2021).
    """

    version: ClassVar[int] = 2

    every: list[Positive] = Field(
        default_factory=lambda: [1, 2, 3, 5, 10], description="n; 1 is to see everything"
    )
    episodes: Positive = Field(20, description="episodes, in a world with one side")
    max_steps: Positive = Field(1000, description="an episode is left where it is after so many")

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        if trial.environment.spec().alternating:
            yield from self.unplayable(trial.environment)

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.play.episode_return import ReturnOfPlay
        from workbench.measures.play.match_score import MatchScore
        from workbench.measures.play.open_loop_player import SeldomSeeing

        if parts.environment.spec.alternating:
            matches = MatchScore(parts.environment, self.games, self.opening, [], prior=False)
            return SeldomSeeing("score", matches.against_random, matches.facts(), self.every)
        config = parts.config.environment
        returns = ReturnOfPlay(config, self.episodes, self.max_steps, prior=False)
        return SeldomSeeing("return", returns.mean_return, returns.facts(), self.every)
