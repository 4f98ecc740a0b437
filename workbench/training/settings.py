"""Configuration of the parts that procedures share; light."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from workbench.components import Config, Fraction, NonNegative, Positive


class OptimiserConfig(Config):
    """How one group of parameters descends its loss."""

    name: Literal["adamw", "muon", "sgd"] = Field(
        "adamw",
        description="muon (Jordan et al. 2024) steps matrices and kernels, adamw what is left; sgd "
        "has momentum 0.9",
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        0.001, description="step size at first; of an entry, by muon in the root mean square"
    )
    decay: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="step size at the end of the training as a share of the first; it falls "
        "exponentially in between (MuZero, appendix G); 1 for none",
    )
    weight_decay: NonNegative = Field(
        0.0001, description="decoupled from the gradient (adamw, muon), or L2 (sgd)"
    )
    clip: NonNegative = Field(0.0, description="greatest norm of the gradient; 0 for no limit")


class OpeningConfig(Config):
    """Random first moves, which vary where episodes begin and are not trained on."""

    fraction: Fraction = Field(0.0, description="share of the episodes that begin so")
    moves: Positive = Field(1, description="at most so many; the number is drawn uniformly from 1")


def schedule(value: Any) -> Any:
    """A number as a schedule of one entry; lists of [fraction, temperature] as tuples, checked."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = [[0.0, value]]
    if not (
        isinstance(value, list | tuple)
        and value
        and all(isinstance(entry, list | tuple) and len(entry) == 2 for entry in value)
        and all(type(number) in (int, float) for entry in value for number in entry)
    ):
        raise ValueError("a temperature is a number, or a list of [fraction, temperature]")
    fractions = [fraction for fraction, _ in value]
    if fractions[0] != 0 or fractions[-1] > 1 or sorted(set(fractions)) != fractions:
        raise ValueError("fractions of the training must ascend from 0 to at most 1")
    if min(temperature for _, temperature in value) <= 0:
        raise ValueError("a temperature must be greater than 0")
    return tuple((float(fraction), float(temperature)) for fraction, temperature in value)


class TemperatureConfig(Config):
    """How the move is drawn from the visits while training."""

    moves: Annotated[int, Field(ge=0)] | None = Field(
        30,
        description="moves of an episode drawn in proportion to visits**(1/value), then the best; "
        "null to draw every move (MuZero on Atari), 0 to draw none",
    )
    value: Annotated[tuple[tuple[float, float], ...], BeforeValidator(schedule)] = Field(
        ((0.0, 1.0),),
        description="temperature of those moves: a number, or as it changes [fraction of the "
        "training, temperature]; MuZero on Atari: [[0.0, 1.0], [0.5, 0.5], [0.75, 0.25]]",
    )

    def at(self, fraction: float) -> float:
        """The temperature when so much of the training is done."""
        return next(t for since, t in reversed(self.value) if since <= fraction)


class PrioritiesConfig(Config):
    """How often a stored step is trained on: P(i) = p_i^alpha / sum p^alpha (Schaul et al. 2016).

    p = |nu - z| + epsilon, nu the search's value and z the value target (MuZero, appendix G); once
    a step was trained on, nu is the value that the network had for it then.
    """

    alpha: Fraction = Field(
        0.0, description="how much the error of the value counts; 0 draws uniformly (MuZero: 1)"
    )
    beta: Fraction = Field(
        1.0, description="how much of the bias the weights (1/(N P))**beta of the loss take away"
    )
    epsilon: Annotated[float, Field(gt=0)] = Field(
        1e-6, description="added to every error, so that no step is lost"
    )


class ReanalyseConfig(Config):
    """Stored steps searched anew with the latest weights (MuZero Reanalyse, appendix H)."""

    ratio: NonNegative = Field(
        0.0,
        description="stored steps searched anew for each environment step, without root noise, by "
        "the target network if there is one, else by the acting model",
    )
    policy: bool = Field(True, description="whether the new search's policy replaces the stored")
    value: bool = Field(
        True,
        description="whether its value does; target 'outcome' is the real return and stays so",
    )
