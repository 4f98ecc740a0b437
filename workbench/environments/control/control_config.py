"""What the control problems have in common; light."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from workbench.components import EnvironmentConfig
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workbench.config import TrialConfig


def unscalable(
    environment: str, observation: tuple[int, ...], scale: Sequence[float]
) -> Iterator[str]:
    """Says where observations cannot be divided by `scale`."""
    if (len(scale),) != observation or min(scale, default=0.0) <= 0:
        yield (
            f"scale: environment '{environment}' shows {list(observation)} numbers and needs as "
            f"many sizes above 0; found {list(scale)}"
        )


class ControlConfig(EnvironmentConfig):
    """A control problem that shows a few numbers; a cut by its time limit is no end."""

    observation: ClassVar[tuple[int, ...]]
    actions: ClassVar[int]

    max_steps: int
    scale: list[float]
    """What each number of the observation is divided by, so that all are of order 1."""

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().misfits(trial)
        yield from unscalable(self.component, self.observation, self.scale)

    def spec(self) -> EnvironmentSpec:
        return EnvironmentSpec(
            self.component, self.observation, self.actions, horizon=self.max_steps
        )
