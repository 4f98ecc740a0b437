"""The car in the valley."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench.components import Positive
from workbench.environments.control.control_config import ControlConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.environments.control.control_environment import ControlEnvironment


@register("environment", "mountain_car")
class MountainCar(ControlConfig):
    """Drive a weak car up a hill (Gymnasium MountainCar-v0); reward -1 per step until the top."""

    observation: ClassVar[tuple[int, ...]] = (2,)
    actions: ClassVar[int] = 3
    reward_bounds: ClassVar[tuple[float, float] | None] = (-1.0, 0.0)

    max_steps: Positive = Field(
        200, description="maximum number of steps per episode; longer ones are truncated"
    )
    scale: list[float] = Field(
        [0.6, 0.04],
        description="divisor of each observation entry, so that all are of order 1",
    )

    @override
    def build(self) -> ControlEnvironment:
        from workbench.environments.control.control_environment import ControlEnvironment
        from workbench.environments.control.mountain_car_physics import PHYSICS

        return ControlEnvironment(self.spec(), PHYSICS, self.discount, self.scale)
