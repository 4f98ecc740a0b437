"""Measure `size_transfer`: score on a board of another size with unchanged weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import override

from workbench.cache import remembered
from workbench.components import ComponentField, EnvironmentConfig, Incompatible
from workbench.config import dump, iter_components
from workbench.environments.hex import Hex
from workbench.measures.play.match_options import MatchOptions
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.config import TrialConfig
    from workbench.contracts import Measure, TrialParts


@register("measure", "size_transfer")
class SizeTransfer(MatchOptions):
    """Matches on a board of another size, with the agent's weights unchanged.

    No parameter's shape may depend on the board size, so latent, dynamics and heads must work per
    cell.
    """

    environment: Annotated[EnvironmentConfig, ComponentField("environment")] = Field(
        default_factory=lambda: Hex(size=7), description="target environment"
    )

    @classmethod
    def for_evaluation(cls, trial: TrialConfig) -> None:
        """Return None: the target environment is a choice of the study."""

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        problems = [*self.unplayable(self.environment), *self._differences(trial)]
        if not problems:
            problems = [*self._elsewhere(trial)]
        yield from problems

    @override
    def costly_incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        return self._shapes(trial)

    def _differences(self, trial: TrialConfig) -> Iterator[str]:
        """Yield differences between the two environments that prevent a transfer."""
        here, there = trial.environment.spec(), self.environment.spec()
        transfer = (
            f"measure 'size_transfer' from environment '{trial.environment.component}' to "
            f"environment '{self.environment.component}'"
        )
        if here.alternating != there.alternating:
            yield f"{transfer}: only one of them is a two-player game"
        if len(here.observation) != 3 or len(there.observation) != 3:
            yield (
                f"{transfer}: both must observe planes [C, H, W]; they observe "
                f"{list(here.observation)} and {list(there.observation)}"
            )
        elif here.observation[0] != there.observation[0]:
            planes = f"{here.observation[0]} and {there.observation[0]} planes"
            yield f"{transfer}: they observe {planes}"

    def _elsewhere(self, trial: TrialConfig) -> Iterator[str]:
        """Yield the incompatibilities of model and planner with the target environment."""
        taken = trial.model_copy(update={"environment": self.environment})
        for _, part in iter_components({"model": trial.model, "planner": trial.planner}):
            try:
                problems = [*part.incompatibilities(taken)]
            except Incompatible as misfit:
                problems = [str(misfit)]
            for problem in problems:
                yield f"measure 'size_transfer' in the target environment: {problem}"

    def _shapes(self, trial: TrialConfig) -> Iterator[str]:
        """Yield the parts of the model whose weights change shape in the target environment."""

        def changes() -> dict[str, str]:
            from workbench.measures.play.transfer import changed_shapes

            return changed_shapes(trial, self.environment)

        name = f"changed_shapes {dump(self.environment)}"
        try:
            found = remembered(name, trial, changes)
        except (MemoryError, RuntimeError) as error:  # raised by torch and numpy
            reason = str(error).splitlines()[0]
            yield f"measure 'size_transfer': the model cannot be built: {reason}"
            return
        for part, change in found.items():
            component = getattr(getattr(trial.model, part, trial.model), "component", part)
            yield (
                f"measure 'size_transfer': the weights of {part} '{component}' do not fit "
                f"environment '{self.environment.component}' ({change}); choose the same game, a "
                "latent of kind grid or nodes, and components that read it per cell"
            )

    @override
    def build(self, parts: TrialParts) -> Measure:
        from workbench.measures.play.match_score import MatchScore
        from workbench.measures.play.transfer import TransferScore

        environment = self.environment.build()
        matches = MatchScore(
            environment, self.games, self.opening_moves, self.mcts_rollouts, self.prior, self.oracle
        )
        return TransferScore(parts.config, self.environment, environment, matches)
