"""Configuration of the parts that procedures share; light."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from workbench.components import Config, Fraction, NonNegative, Positive


class OptimiserConfig(Config):
    """How one group of parameters descends its loss."""

    name: Literal["adamw", "sgd"] = Field("adamw", description="sgd has momentum 0.9")
    learning_rate: Annotated[float, Field(gt=0)] = Field(0.001, description="step size")
    weight_decay: NonNegative = Field(
        0.0001, description="decoupled from the gradient (adamw), or L2 (sgd)"
    )
    clip: NonNegative = Field(0.0, description="greatest norm of the gradient; 0 for no limit")


class OpeningConfig(Config):
    """Random first moves, which vary where episodes begin and are not trained on."""

    fraction: Fraction = Field(0.0, description="share of the episodes that begin so")
    moves: Positive = Field(1, description="at most so many; the number is drawn uniformly from 1")


class TemperatureConfig(Config):
    """How the move is drawn from the visits while training."""

    moves: Annotated[int, Field(ge=0)] = Field(
        30,
        description="moves of an episode drawn in proportion to visits**(1/value); then the best",
    )
    value: Annotated[float, Field(gt=0)] = Field(1.0, description="temperature of those moves")
