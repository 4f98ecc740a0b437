"""Base configuration of the classic control problems; imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from workbench.components import EnvironmentConfig
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workbench.config import TrialConfig


def scale_problems(
    environment: str, observation: tuple[int, ...], scale: Sequence[float]
) -> Iterator[str]:
    """Yield a message if `scale` does not fit the observation shape or has an entry <= 0."""
    if (len(scale),) != observation or min(scale, default=0.0) <= 0:
        yield (
            f"scale: environment '{environment}' has observations of shape {list(observation)} "
            f"and needs that many numbers above 0; found {list(scale)}"
        )


class ControlConfig(EnvironmentConfig):
    """A control problem with vector observations; the time limit truncates episodes."""

    observation: ClassVar[tuple[int, ...]]
    """Shape of the observation."""
    actions: ClassVar[int]
    """Number of actions."""
    reward_bounds: ClassVar[tuple[float, float] | None] = None
    """Lower and upper bound of the reward of one step; None if unknown."""

    max_steps: int
    """Maximum number of steps per episode; longer ones are truncated."""
    scale: list[float]
    """Divisor of each observation entry, so that all are of order 1."""

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().incompatibilities(trial)
        yield from scale_problems(self.component, self.observation, self.scale)

    @override
    def spec(self) -> EnvironmentSpec:
        return EnvironmentSpec(
            self.component,
            self.observation,
            self.actions,
            horizon=self.max_steps,
            reward_bounds=self.reward_bounds,
        )
