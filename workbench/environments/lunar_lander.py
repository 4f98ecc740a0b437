"""The rocket over the moon."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from workbench.components import Positive
from workbench.environments.live.control import ControlConfig
from workbench.registry import register


@register("environment", "lunar_lander")
class LunarLander(ControlConfig):
    """Lands a rocket between two flags (Gymnasium LunarLander-v3; extra `box2d`)."""

    id: ClassVar[str] = "LunarLander-v3"
    observation: ClassVar[tuple[int, ...]] = (8,)
    actions: ClassVar[int] = 4
    extra: ClassVar[tuple[str, str]] = ("Box2D", "box2d")

    max_steps: Positive = Field(1000, description="an episode is cut after so many steps")
    scale: list[float] = Field(
        [1.0] * 8,
        description="what each number of the observation is divided by, so that all are of order 1",
    )
