"""Configurations of scalar heads. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from workbench.components import Config, PredictionConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig


class ScalarHead(Config):
    """A value or reward as one number, plain or transformed, or as a distribution over atoms."""

    kind: Literal["scalar", "symlog", "categorical"] = Field(
        "categorical",
        description="scalar: one output with mean squared error; symlog: the same of its symlog "
        "(DreamerV3); categorical: two-hot cross-entropy over atoms",
    )
    low: float = Field(-1.0, description="smallest value that the atoms represent")
    high: float = Field(1.0, description="largest value that the atoms represent")
    atoms: Annotated[int, Field(ge=2, le=10_000)] = Field(3, description="number of atoms")
    transform: Literal["h", "symlog", "none"] = Field(
        "h",
        description="transform under which the atoms are evenly spaced: MuZero's h, DreamerV3's "
        "symlog, or none",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low must be smaller than high, found {self.low} and {self.high}")
        return self

    def range_problem(self, quantity: str, bounds: tuple[float, float] | None) -> str | None:
        """Return a message if atoms cannot represent all numbers within `bounds`, else None."""
        if self.kind != "categorical" or bounds is None:
            return None
        low, high = bounds
        if self.low <= low and high <= self.high:
            return None
        return (
            f"its atoms represent {quantity}s from {self.low:g} to {self.high:g}, but those of the "
            f"environment lie between {low:g} and {high:g}, and would be clamped; set "
            f"`{quantity}: {{low: {min(low, self.low)}, high: {max(high, self.high)}}}`"
        )


class ScalarHeadsConfig(PredictionConfig):
    """A prediction whose value and reward are scalar heads."""

    value: ScalarHead = Field(default_factory=ScalarHead, description="encoding of the value")
    reward: ScalarHead = Field(default_factory=ScalarHead, description="encoding of the reward")

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().incompatibilities(trial)
        environment = trial.environment.spec()
        heads = trial.model.spec(environment).heads
        ranges = [("value", self.value, environment.bounds)]
        if "reward" in heads:
            ranges.append(("reward", self.reward, environment.reward_bounds))
        for quantity, head, bounds in ranges:
            if problem := head.range_problem(quantity, bounds):
                yield f"prediction '{self.component}': {problem}"
