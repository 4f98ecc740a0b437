"""The score on a board of another size, with the weights as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from workbench.components import EnvironmentConfig, Misfit, Slot
from workbench.config import walk
from workbench.environments.hex import Hex
from workbench.measures.play.match_options import MatchOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, Parts


@register("measure", "size_transfer")
class SizeTransfer(MatchOptions):
    """Matches in another world, on a board of another size, with the agent's weights as they are.

    For models none of whose parameters has a shape that depends on the board: cells to the end.
    """

    environment: Annotated[EnvironmentConfig, Slot("environment")] = Field(
        default_factory=lambda: Hex(size=7), description="the world that the agent is taken to"
    )

    @classmethod
    def thorough(cls, trial: TrialConfig) -> None:
        """Where to take an agent is for the study to say."""

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        problems = [*self.unplayable(self.environment), *self._differences(trial)]
        if not problems:
            problems = [*self._elsewhere(trial)]
        if not problems:
            problems = [*self._shapes(trial)]
        yield from problems

    def _differences(self, trial: TrialConfig) -> Iterator[str]:
        """What the two worlds must have in common."""
        here, there = trial.environment.spec(), self.environment.spec()
        worlds = (
            f"measure 'size_transfer' from environment '{trial.environment.component}' to "
            f"environment '{self.environment.component}'"
        )
        if here.alternating != there.alternating:
            yield f"{worlds}: one is a game of two and the other is not"
        if len(here.observation) != 3 or len(there.observation) != 3:
            yield (
                f"{worlds}: both must show planes [C, H, W]; they show {list(here.observation)} "
                f"and {list(there.observation)}"
            )
        elif here.observation[0] != there.observation[0]:
            planes = f"{here.observation[0]} planes, the other {there.observation[0]}"
            yield f"{worlds}: one shows {planes}"

    def _elsewhere(self, trial: TrialConfig) -> Iterator[str]:
        """What model and planner would say of the other world."""
        taken = trial.model_copy(update={"environment": self.environment})
        for _, part in walk({"model": trial.model, "planner": trial.planner}):
            try:
                problems = [*part.misfits(taken)]
            except Misfit as misfit:
                problems = [str(misfit)]
            for problem in problems:
                yield f"measure 'size_transfer' takes the agent to another world: {problem}"

    def _shapes(self, trial: TrialConfig) -> Iterator[str]:
        """Parts of the model whose weights have another shape in the other world."""
        from workbench.measures.play.transfer import reshaped

        for part, change in reshaped(trial, self.environment).items():
            component = getattr(getattr(trial.model, part, trial.model), "component", part)
            yield (
                f"measure 'size_transfer': the weights of {part} '{component}' do not fit "
                f"environment '{self.environment.component}' ({change}); take the same game, a "
                "latent of kind grid or nodes, and parts that read it cell by cell"
            )

    def build(self, parts: Parts) -> Measure:
        from workbench.measures.play.match_score import MatchScore
        from workbench.measures.play.transfer import ScoreElsewhere

        environment = self.environment.build()
        matches = MatchScore(
            environment, self.games, self.opening, self.mcts_rollouts, self.prior, self.oracle
        )
        return ScoreElsewhere(parts.config, self.environment, environment, matches)
