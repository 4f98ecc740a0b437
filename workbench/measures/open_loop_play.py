"""Measure `open_loop_play`: play with rare observations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench.components import Positive
from workbench.measures.play.match_options import MatchOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, TrialParts


@register("measure", "open_loop_play")
class OpenLoopPlay(MatchOptions):
    """Return, or score against random moves, if only every n-th observation is shown.

    In between the agent plans from unrolled latents (de Vries et al. 2021).
    """

    version: ClassVar[int] = 2

    observation_intervals: list[Positive] = Field(
        default_factory=lambda: [1, 2, 3, 5, 10],
        description="values of n; 1 shows every observation",
    )
    episodes: Positive = Field(20, description="number of episodes, in a single-agent environment")
    max_steps: Positive = Field(
        1000, description="number of steps after which an episode is truncated"
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        if trial.environment.spec().alternating:
            yield from self.unplayable(trial.environment)

    @override
    def build(self, parts: TrialParts) -> Measure:
        from workbench.measures.play.episode_return import EpisodeReturn
        from workbench.measures.play.match_score import MatchScore
        from workbench.measures.play.open_loop_player import OpenLoopScore

        if parts.environment.spec.alternating:
            matches = MatchScore(parts.environment, self.games, self.opening_moves, [], prior=False)
            return OpenLoopScore(
                "score", matches.against_random, matches.info(), self.observation_intervals
            )
        config = parts.config.environment
        returns = EpisodeReturn(config, self.episodes, self.max_steps, prior=False)
        return OpenLoopScore(
            "return", returns.mean_return, returns.info(), self.observation_intervals
        )
