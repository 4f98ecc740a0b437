"""Acrobot: swing up a two-link arm."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench.components import Positive
from workbench.environments.control.control_config import ControlConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.environments.control.control_environment import ControlEnvironment


@register("environment", "acrobot")
class Acrobot(ControlConfig):
    """Swing up a two-link arm (Gymnasium Acrobot-v1); reward -1 per step until it is up."""

    observation: ClassVar[tuple[int, ...]] = (6,)
    actions: ClassVar[int] = 3
    reward_bounds: ClassVar[tuple[float, float] | None] = (-1.0, 0.0)

    max_steps: Positive = Field(
        500, description="maximum number of steps per episode; longer ones are truncated"
    )
    scale: list[float] = Field(
        [1.0, 1.0, 1.0, 1.0, 4.0, 8.0],
        description="divisor of each observation entry, so that all are of order 1",
    )

    @override
    def build(self) -> ControlEnvironment:
        from workbench.environments.control.acrobot_physics import PHYSICS
        from workbench.environments.control.control_environment import ControlEnvironment

        return ControlEnvironment(self.spec(), PHYSICS, self.discount, self.scale)
