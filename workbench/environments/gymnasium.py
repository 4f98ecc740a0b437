"""Any Gymnasium environment with discrete actions, by id."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import Field
from typing_extensions import override

from workbench import extras
from workbench.components import Config, EnvironmentConfig, Incompatible
from workbench.environments.control.control_config import scale_problems
from workbench.errors import did_you_mean
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig
    from workbench.environments.forward_only.simulator_environment import SimulatorEnvironment

Option = bool | int | float | str

NAMESPACES = {"ALE": "ale_py"}
"""Packages that register the environments of a namespace when they are imported."""


class Wrapper(Config):
    """A wrapper class with its keyword arguments."""

    name: str = Field(description="class of gymnasium.wrappers, or MODULE:CLASS")
    options: dict[str, Any] = Field(default_factory=dict, description="its keyword arguments")


@register("environment", "gymnasium")
class Gymnasium(EnvironmentConfig):
    """Any Gymnasium environment with discrete actions; observations: vector, image, discrete.

    As in `gymnasium.make`, the id `MODULE:ID` imports the module that registers the environment.
    Wrappers convert other observations: `wrappers: [FlattenObservation]` makes a vector of a Dict.
    """

    id: str = Field("CartPole-v1", description="Gymnasium id: NAME-v0, SPACE/NAME-v0 or MODULE:ID")
    options: dict[str, Option] = Field(
        default_factory=dict, description="keyword arguments of gymnasium.make"
    )
    wrappers: list[str | Wrapper] = Field(
        default_factory=list,
        description="wrappers, innermost first: a class of gymnasium.wrappers, MODULE:CLASS, or "
        "{name: CLASS, options: {KEY: VALUE}}",
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
        return _spec(self.model_dump_json(include={"id", "options", "wrappers"}))

    @override
    def build(self) -> SimulatorEnvironment:
        from workbench.environments.forward_only.gymnasium_simulator import gymnasium_environment

        return gymnasium_environment(self.spec(), self.make, self.discount, self.scale)

    def make(self) -> Any:
        """Make one Gymnasium environment.

        Raises:
            Exception: whatever Gymnasium or the environment raises.
        """
        import gymnasium

        environment: Any = gymnasium.make(
            _register(self.id),
            disable_env_checker=True,
            **self.options,  # type: ignore[arg-type]
        )
        for entry in self.wrappers:
            wrapper = Wrapper(name=entry) if isinstance(entry, str) else entry
            environment = _wrapper_class(wrapper.name)(environment, **wrapper.options)
        return environment


def _register(name: str) -> str:
    """Import the package that registers an environment, and return its id without the module.

    Raises:
        Incompatible: the package cannot be imported, or registers no such environment.
    """
    import gymnasium

    module, _, registered = name.rpartition(":")
    package = module or NAMESPACES.get(registered.partition("/")[0], "")
    if package:
        _import(package, f"to register '{registered}'")
    if registered not in gymnasium.registry:
        suggestion = did_you_mean(registered, gymnasium.registry)
        way_out = "" if suggestion or module else "; `MODULE:ID` imports the module that has it"
        raise Incompatible(f"Gymnasium has no environment '{registered}'{suggestion}{way_out}")
    return registered


def _wrapper_class(name: str) -> Any:
    """Return a wrapper class, given its name in `gymnasium.wrappers` or MODULE:CLASS.

    Raises:
        Incompatible: there is no such class.
    """
    module, _, class_name = name.rpartition(":")
    found = _import(module or "gymnasium.wrappers", f"for the wrapper '{class_name}'")
    if not hasattr(found, class_name):
        suggestion = did_you_mean(class_name, dir(found))
        raise Incompatible(f"{found.__name__} has no wrapper '{class_name}'{suggestion}")
    return getattr(found, class_name)


def _import(module: str, purpose: str) -> Any:
    try:
        return import_module(module)
    except Exception as error:  # third-party code may raise anything
        raise Incompatible(
            f"cannot import '{module}' {purpose}: {_reason(error)}; install it, or set PYTHONPATH "
            "to its folder"
        ) from None


def _reason(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@cache
def _spec(settings: str) -> EnvironmentSpec:
    """Make the environment once and return its static properties.

    Args:
        settings: the options of `Gymnasium` as JSON.

    Raises:
        Incompatible: it does not exist, cannot be made, or has unsupported spaces.
    """
    from workbench.environments.forward_only.gymnasium_simulator import (
        action_count,
        observation_layout,
    )

    config = Gymnasium.model_validate_json(settings)
    name = config.id
    try:
        environment = config.make()
    except Incompatible:
        raise
    except Exception as error:  # third-party code may raise anything
        raise Incompatible(f"Gymnasium cannot make '{name}': {_reason(error)}") from None
    shape, _ = observation_layout(name, environment.observation_space)
    actions = action_count(name, environment.action_space)
    horizon = None if environment.spec is None else environment.spec.max_episode_steps
    environment.close()
    return EnvironmentSpec(f"gymnasium:{name}", shape, actions, horizon=horizon, cloneable=False)
