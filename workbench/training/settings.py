"""Configuration records that procedures share. The module is light: it imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from workbench.components import MOST, Config, Fraction, NonNegative, Positive


class OptimiserConfig(Config):
    """Optimiser of one parameter group."""

    name: Literal["adamw", "muon", "sgd"] = Field(
        "adamw",
        description="muon (Jordan et al. 2024) updates matrices and convolution kernels, and adamw "
        "the other parameters; sgd has momentum 0.9",
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        0.001, description="initial learning rate; with muon, the RMS of one entry's step"
    )
    learning_rate_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="final learning rate as a share of the initial one; the decay is exponential "
        "(MuZero, appendix G); 1 disables it",
    )
    weight_decay: NonNegative = Field(
        0.0001, description="decoupled from the gradient (adamw, muon), or L2 (sgd)"
    )
    max_gradient_norm: NonNegative = Field(
        0.0, description="maximum norm of the gradient; 0 disables clipping"
    )


class RandomStartConfig(Config):
    """Random actions at the start of episodes. They vary the initial states; no loss uses them."""

    fraction: Fraction = Field(0.0, description="share of episodes with a random start")
    max_actions: Positive = Field(
        1, description="maximum number of random actions; drawn uniformly from 1"
    )


def parse_schedule(value: Any) -> Any:
    """Validate a schedule: a number, or a list of [fraction, temperature] pairs."""
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
    """Sampling of actions from the search policy during training."""

    sampled_actions: Annotated[int, Field(ge=0, le=MOST)] | None = Field(
        30,
        description="number of actions per episode sampled in proportion to visits**(1/value); "
        "later actions are greedy; null samples all (MuZero on Atari), 0 none",
    )
    value: Annotated[
        tuple[tuple[float, float], ...],
        BeforeValidator(parse_schedule, json_schema_input_type=float | list[tuple[float, float]]),
    ] = Field(
        ((0.0, 1.0),),
        description="temperature of the sampled actions: a number, or a list of [fraction of the "
        "training, temperature]; MuZero on Atari: [[0.0, 1.0], [0.5, 0.5], [0.75, 0.25]]",
    )

    def at(self, fraction: float) -> float:
        """Return the temperature at a fraction of the training."""
        return next(t for since, t in reversed(self.value) if since <= fraction)


class PrioritiesConfig(Config):
    """Prioritised replay, P(i) = p_i^alpha / sum p^alpha (Schaul et al. 2016).

    p = |nu - z| + epsilon, nu the search's value and z the value target (MuZero, appendix G); once
    a step was trained on, nu is the value that the network had for it then.
    """

    alpha: Fraction = Field(
        0.0, description="exponent of the priorities; 0 samples uniformly (MuZero: 1)"
    )
    beta: Fraction = Field(
        1.0, description="importance-sampling exponent (1 corrects the bias fully)"
    )
    epsilon: Annotated[float, Field(gt=0)] = Field(
        1e-6, description="added to every error, so that every step can be sampled"
    )


class ReanalyseConfig(Config):
    """Reanalyse: repeated searches of stored steps with recent weights (MuZero, appendix H)."""

    ratio: NonNegative = Field(
        0.0,
        description="stored steps searched again per environment step, without root noise, with "
        "the target network if there is one, else with the acting model",
    )
    policy: bool = Field(True, description="whether the new policy replaces the stored one")
    value: bool = Field(
        True,
        description="whether the new value replaces the stored one; target 'outcome' is unaffected",
    )
