"""Any Gymnasium environment with discrete actions, by its id."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import Field

from workbench import extras
from workbench.components import EnvironmentConfig, Misfit
from workbench.environments.control.control_config import unscalable
from workbench.errors import nearest
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.config import TrialConfig
    from workbench.environments.forward_only.forward_only_environment import LiveWorlds

Option = bool | int | float | str


@register("environment", "gymnasium")
class Gymnasium(EnvironmentConfig):
    """Any Gymnasium environment with discrete actions, by its id; seen as a vector or an image."""

    id: str = Field("CartPole-v1", description="the environment's id, as registered with Gymnasium")
    options: dict[str, Option] = Field(
        default_factory=dict, description="options of the environment itself, by name"
    )

    scale: list[float] = Field(
        default_factory=list,
        description="what each number of a vector is divided by, best so that all are of order 1; "
        "empty for none",
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().misfits(trial)
        if self.scale:
            yield from unscalable(self.component, self.spec().observation, self.scale)

    def spec(self) -> EnvironmentSpec:
        extras.require("environment 'gymnasium'", "gymnasium", "control")
        return _spec(self.id, tuple(sorted(self.options.items())))

    def build(self) -> LiveWorlds:
        from workbench.environments.forward_only.gymnasium_simulator import gym_worlds

        return gym_worlds(
            self.spec(), lambda: _make(self.id, self.options), self.discount, self.scale
        )


def _make(name: str, options: dict[str, Option]) -> Any:
    import gymnasium

    return gymnasium.make(name, disable_env_checker=True, **options)  # type: ignore[arg-type]


@cache
def _spec(name: str, options: tuple[tuple[str, Option], ...]) -> EnvironmentSpec:
    """Makes the environment once, to see what it is. Raises Misfit where it is not one of ours."""
    import gymnasium

    from workbench.environments.forward_only.gymnasium_simulator import actions, layout

    if name not in gymnasium.registry:
        suggestion = nearest(name, gymnasium.registry)
        raise Misfit(f"Gymnasium has no environment '{name}'{suggestion}")
    try:
        world = _make(name, dict(options))
    except Exception as error:  # whatever an environment of somebody else's raises
        reason = str(error).splitlines()[0]
        raise Misfit(f"Gymnasium cannot make '{name}': {type(error).__name__}: {reason}") from None
    shape, _ = layout(name, world.observation_space)
    count, limit = actions(name, world.action_space), world.spec.max_episode_steps
    world.close()
    return EnvironmentSpec(f"gymnasium:{name}", shape, count, horizon=limit, copyable=False)
