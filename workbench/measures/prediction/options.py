"""The options of the measures that follow models along the frozen sequences; light."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from pydantic import Field

from workbench.components import MeasureConfig, Positive
from workbench.measures.exact.needs import sequence_misfits, twice_unrolled

if TYPE_CHECKING:
    from workbench.config import TrialConfig


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
    by_source: bool = Field(
        False, description="whether moves of learners, of chance and of perfect play are told apart"
    )

    @classmethod
    def thorough(cls, trial: TrialConfig) -> Self:
        many = cls() if trial.environment.spec().oracle else cls(positions=EXCERPTS)
        return many.model_copy(update={"depth": twice_unrolled(trial), "by_source": True})

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from sequence_misfits(self, trial.environment)
