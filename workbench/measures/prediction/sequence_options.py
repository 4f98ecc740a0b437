"""The options of the measures that follow models along the frozen sequences; light."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from pydantic import Field

from workbench.components import EnvironmentConfig, MeasureConfig, Positive

if TYPE_CHECKING:
    from workbench.config import TrialConfig


DEPTH = 5
"""Steps that a model was unrolled, where the procedure does not say."""


def _twice_unrolled(trial: TrialConfig) -> int:
    """2K: twice as deep as the model was unrolled when it learned."""
    unrolled: int = getattr(trial.procedure, "unroll", DEPTH)
    return 2 * unrolled


def sequence_misfits(measure: MeasureConfig, environment: EnvironmentConfig) -> Iterator[str]:
    """What a measure needs of an environment, for which real moves are enough without an oracle."""
    world = environment.spec()
    if world.oracle:
        environment.check_oracle()
    elif world.chance or world.agents != 1:
        yield (
            f"measure '{measure.component}' needs exact answers, or a world of one agent without "
            f"chance nodes; environment '{environment.component}' as configured is neither"
        )


EXCERPTS = 500
"""Of each kind of play, by which finished agents are measured: to solve them is not needed."""


class SequenceOptions(MeasureConfig):
    """A measure along sequences of real moves, which come from learners, chance and an oracle.

    Without an oracle they are excerpts of games by learners, where these can look ahead, and by
    chance.
    """

    depth: Positive = Field(5, description="greatest unroll depth")
    positions: Positive = Field(
        200,
        description="positions to begin from, where there are too many to begin from all; without "
        "an oracle, for each kind of play",
    )
    by_source: bool = Field(False, description="whether the sources of the moves are told apart")

    @classmethod
    def thorough(cls, trial: TrialConfig) -> Self:
        many = cls() if trial.environment.spec().oracle else cls(positions=EXCERPTS)
        return many.model_copy(update={"depth": _twice_unrolled(trial), "by_source": True})

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from sequence_misfits(self, trial.environment)
