"""Options of the measures along evaluation sequences. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from pydantic import Field
from typing_extensions import override

from workbench.components import Count, EnvironmentConfig, MeasureConfig, Positive

if TYPE_CHECKING:
    from workbench.config import TrialConfig


DEPTH = 5
"""Unroll depth assumed for procedures without an unroll length."""


def _twice_unrolled(trial: TrialConfig) -> int:
    """Return 2K, twice the unroll depth of the training."""
    unrolled: int = getattr(trial.procedure, "unroll", DEPTH)
    return 2 * unrolled


def sequence_incompatibilities(
    measure: MeasureConfig, environment: EnvironmentConfig
) -> Iterator[str]:
    """Yield what the environment lacks for measures that need real actions but no oracle."""
    spec = environment.spec()
    if spec.oracle:
        environment.check_oracle()
    elif spec.chance or spec.agents != 1:
        yield (
            f"measure '{measure.component}' needs exact answers, or one agent without "
            f"chance nodes, but environment '{environment.component}' as configured has neither"
        )


EXCERPTS = 500
"""Number of segments of each kind of play for finished agents; they need no solver."""


class SequenceOptions(MeasureConfig):
    """Measure along real actions of a partly trained agent, a random player and an oracle.

    Without an oracle, the sequences are episode segments of a random player and, if the environment
    supports one, a planning player.
    """

    depth: Count = Field(5, description="greatest unroll depth")
    positions: Positive = Field(
        200,
        description="number of start positions, if there are too many to start from all; "
        "without an oracle, for each kind of play",
    )
    by_source: bool = Field(
        False, description="whether the sources of the actions are reported separately"
    )

    @classmethod
    @override
    def for_evaluation(cls, trial: TrialConfig) -> Self:
        many = cls() if trial.environment.spec().oracle else cls(positions=EXCERPTS)
        return many.model_copy(update={"depth": _twice_unrolled(trial), "by_source": True})

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from sequence_incompatibilities(self, trial.environment)
