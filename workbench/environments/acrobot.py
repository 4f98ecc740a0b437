"""The two-link arm."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from workbench.components import Positive
from workbench.environments.control.control_config import ControlConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.environments.control.control_environment import ControlWorlds


@register("environment", "acrobot")
class Acrobot(ControlConfig):
    """Swings the end of a two-link arm up (as Gymnasium Acrobot-v1); -1 a step until it is up."""

    observation: ClassVar[tuple[int, ...]] = (6,)
    actions: ClassVar[int] = 3

    max_steps: Positive = Field(500, description="an episode is cut after so many steps")
    scale: list[float] = Field(
        [1.0, 1.0, 1.0, 1.0, 4.0, 8.0],
        description="what each number of the observation is divided by, so that all are of order 1",
    )

    def build(self) -> ControlWorlds:
        from workbench.environments.control.acrobot_physics import PHYSICS
        from workbench.environments.control.control_environment import ControlWorlds

        return ControlWorlds(self.spec(), PHYSICS, self.discount, self.scale)
