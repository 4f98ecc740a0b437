"""Any Gymnasium environment with discrete actions, by id."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import Field
from typing_extensions import override

from workbench import extras
from workbench.components import EnvironmentConfig, Incompatible
from workbench.environments.control.control_config import scale_problems
from workbench.errors import did_you_mean
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig
    from workbench.environments.forward_only.forward_only_environment import SimulatorEnvironment

Option = bool | int | float | str


@register("environment", "gymnasium")
class Gymnasium(EnvironmentConfig):
    """Any Gymnasium environment with discrete actions; observations: vector, image, discrete."""

    id: str = Field("CartPole-v1", description="registered Gymnasium id")
    options: dict[str, Option] = Field(
        default_factory=dict, description="keyword arguments of gymnasium.make"
    )

    scale: list[float] = Field(
        default_factory=list,
        description="divisor of each entry of a vector observation, so that all are of order 1; "
        "empty: no scaling",
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().incompatibilities(trial)
        if self.scale:
            yield from scale_problems(self.component, self.spec().observation, self.scale)

    @override
    def spec(self) -> EnvironmentSpec:
        extras.require("environment 'gymnasium'", "gymnasium", "control")
        return _spec(self.id, tuple(sorted(self.options.items())))

    @override
    def build(self) -> SimulatorEnvironment:
        from workbench.environments.forward_only.gymnasium_simulator import gymnasium_environment

        return gymnasium_environment(
            self.spec(), lambda: _make(self.id, self.options), self.discount, self.scale
        )


def _make(name: str, options: dict[str, Option]) -> Any:
    import gymnasium

    return gymnasium.make(name, disable_env_checker=True, **options)  # type: ignore[arg-type]


@cache
def _spec(name: str, options: tuple[tuple[str, Option], ...]) -> EnvironmentSpec:
    """Make the environment once and return its static properties.

    Raises:
        Incompatible: it does not exist, cannot be made, or has unsupported spaces.
    """
    import gymnasium

    from workbench.environments.forward_only.gymnasium_simulator import (
        action_count,
        observation_layout,
    )

    if name not in gymnasium.registry:
        suggestion = did_you_mean(name, gymnasium.registry)
        raise Incompatible(f"Gymnasium has no environment '{name}'{suggestion}")
    try:
        environment = _make(name, dict(options))
    except Exception as error:  # third-party code may raise anything
        reason = str(error).splitlines()[0]
        raise Incompatible(
            f"Gymnasium cannot make '{name}': {type(error).__name__}: {reason}"
        ) from None
    shape, _ = observation_layout(name, environment.observation_space)
    actions, horizon = (
        action_count(name, environment.action_space),
        environment.spec.max_episode_steps,
    )
    environment.close()
    return EnvironmentSpec(f"gymnasium:{name}", shape, actions, horizon=horizon, cloneable=False)
