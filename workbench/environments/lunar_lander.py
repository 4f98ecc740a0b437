"""The rocket over the moon."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from workbench import extras
from workbench.components import Positive
from workbench.environments.control.control_config import ControlConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.environments.forward_only.forward_only_environment import LiveWorlds


@register("environment", "lunar_lander")
class LunarLander(ControlConfig):
    """Lands a rocket between two flags (Gymnasium LunarLander-v3; extra `box2d`)."""

    observation: ClassVar[tuple[int, ...]] = (8,)
    actions: ClassVar[int] = 4

    max_steps: Positive = Field(1000, description="an episode is cut after so many steps")
    scale: list[float] = Field(
        [1.0] * 8,
        description="what each number of the observation is divided by, so that all are of order 1",
    )

    def spec(self) -> EnvironmentSpec:
        extras.require(f"environment '{self.component}'", "Box2D", "box2d")
        return replace(super().spec(), copyable=False)

    def build(self) -> LiveWorlds:
        import gymnasium

        from workbench.environments.forward_only.gymnasium_simulator import gym_worlds

        def make() -> gymnasium.Env[object, object]:
            return gymnasium.make(
                "LunarLander-v3", max_episode_steps=self.max_steps, disable_env_checker=True
            )

        return gym_worlds(self.spec(), make, self.discount, self.scale)
