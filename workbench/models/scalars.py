"""The configuration of a scalar head; light, so that it can be read without torch."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workbench.components import Config


class ScalarHead(Config):
    """A value or reward as one number, or as a distribution over atoms of the h-transform."""

    kind: Literal["scalar", "categorical"] = Field(
        "categorical", description="one output with mean squared error, or two-hot cross-entropy"
    )
    low: float = Field(-1.0, description="smallest value that the atoms can express")
    high: float = Field(1.0, description="largest value that the atoms can express")
    atoms: Annotated[int, Field(ge=2)] = Field(3, description="number of atoms")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low must be smaller than high, found {self.low} and {self.high}")
        return self
