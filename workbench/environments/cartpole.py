"""The pole on a cart."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from workbench.components import Positive
from workbench.environments.control.control_config import ControlConfig
from workbench.registry import register

if TYPE_CHECKING:
    from workbench.environments.control.control_environment import ControlWorlds


@register("environment", "cartpole")
class CartPole(ControlConfig):
    """Balances a pole on a cart (as Gymnasium CartPole-v1); 1 for every step that it stands."""

    observation: ClassVar[tuple[int, ...]] = (4,)
    actions: ClassVar[int] = 2

    max_steps: Positive = Field(500, description="an episode is cut after so many steps")
    scale: list[float] = Field(
        [1.2, 1.0, 0.1, 1.0],
        description="what each number of the observation is divided by, so that all are of order 1",
    )

    def build(self) -> ControlWorlds:
        from workbench.environments.control.cartpole_physics import PHYSICS
        from workbench.environments.control.control_environment import ControlWorlds

        return ControlWorlds(self.spec(), PHYSICS, self.discount, self.scale)
