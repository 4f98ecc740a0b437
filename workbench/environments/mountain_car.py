"""The car in the valley."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from workbench.components import Positive
from workbench.environments.control.control_config import ControlConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.environments.control.control_environment import ControlWorlds


@register("environment", "mountain_car")
class MountainCar(ControlConfig):
    """Drives a weak car up a hill (as Gymnasium MountainCar-v0); -1 a step until it is up."""

    observation: ClassVar[tuple[int, ...]] = (2,)
    actions: ClassVar[int] = 3

    max_steps: Positive = Field(200, description="an episode is cut after so many steps")
    scale: list[float] = Field(
        [0.6, 0.04],
        description="what each number of the observation is divided by, so that all are of order 1",
    )

    def build(self) -> ControlWorlds:
        from workbench.environments.control.control_environment import ControlWorlds
        from workbench.environments.control.mountain_car_physics import PHYSICS

        return ControlWorlds(self.spec(), PHYSICS, self.discount, self.scale)
