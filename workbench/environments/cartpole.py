"""CartPole: balance a pole on a cart."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench.components import Positive
from workbench.environments.control.control_config import ControlConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.environments.control.control_environment import ControlEnvironment


@register("environment", "cartpole")
class CartPole(ControlConfig):
    """Balance a pole on a cart (Gymnasium CartPole-v1); reward 1 per step."""

    observation: ClassVar[tuple[int, ...]] = (4,)
    actions: ClassVar[int] = 2
    reward_bounds: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    max_steps: Positive = Field(
        500, description="maximum number of steps per episode; longer ones are truncated"
    )
    scale: list[float] = Field(
        [1.2, 1.0, 0.1, 1.0],
        description="divisor of each observation entry, so that all are of order 1",
    )

    @override
    def build(self) -> ControlEnvironment:
        from workbench.environments.control.cartpole_physics import PHYSICS
        from workbench.environments.control.control_environment import ControlEnvironment

        return ControlEnvironment(self.spec(), PHYSICS, self.discount, self.scale)
