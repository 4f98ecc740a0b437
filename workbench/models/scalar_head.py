"""Configuration of a scalar head. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workbench.components import Config


class ScalarHead(Config):
    """A value or reward as one number, plain or transformed, or as a distribution over atoms."""

    kind: Literal["scalar", "symlog", "categorical"] = Field(
        "categorical",
        description="scalar: one output with mean squared error; symlog: the same of its symlog "
        "(DreamerV3); categorical: two-hot cross-entropy over atoms",
    )
    low: float = Field(-1.0, description="smallest value that the atoms represent")
    high: float = Field(1.0, description="largest value that the atoms represent")
    atoms: Annotated[int, Field(ge=2)] = Field(3, description="number of atoms")
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
