"""LunarLander: land a rocket on a pad."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench import extras
from workbench.components import Positive
from workbench.environments.control.control_config import ControlConfig
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.environments.forward_only.simulator_environment import SimulatorEnvironment


@register("environment", "lunar_lander")
class LunarLander(ControlConfig):
    """Land a rocket between two flags (Gymnasium LunarLander-v3; needs the `box2d` extra)."""

    observation: ClassVar[tuple[int, ...]] = (8,)
    actions: ClassVar[int] = 4

    max_steps: Positive = Field(
        1000, description="maximum number of steps per episode; longer ones are truncated"
    )
    scale: list[float] = Field(
        [1.0] * 8,
        description="divisor of each observation entry, so that all are of order 1",
    )

    @override
    def spec(self) -> EnvironmentSpec:
        extras.require(f"environment '{self.component}'", "Box2D", "box2d")
        return replace(super().spec(), cloneable=False)

    @override
    def build(self) -> SimulatorEnvironment:
        import gymnasium

        from workbench.environments.forward_only.gymnasium_simulator import gymnasium_environment

        def make() -> gymnasium.Env[object, object]:
            return gymnasium.make(
                "LunarLander-v3", max_episode_steps=self.max_steps, disable_env_checker=True
            )

        return gymnasium_environment(self.spec(), make, self.discount, self.scale)
