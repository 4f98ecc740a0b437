"""What the control problems of Gymnasium have in common; light."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from workbench import extras
from workbench.components import EnvironmentConfig
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workbench.config import TrialConfig
    from workbench.environments.live.worlds import LiveWorlds


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
    """A Gymnasium environment whose shapes are known; a cut by its time limit is no end."""

    id: ClassVar[str]
    observation: ClassVar[tuple[int, ...]]
    actions: ClassVar[int]
    extra: ClassVar[tuple[str, str]] = ("gymnasium", "control")
    """The package that it needs, and the extra that brings it."""

    max_steps: int
    scale: list[float]
    """What each number of the observation is divided by, so that all are of order 1."""

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().misfits(trial)
        yield from unscalable(self.component, self.observation, self.scale)

    def spec(self) -> EnvironmentSpec:
        extras.require(f"environment '{self.component}'", *self.extra)
        return EnvironmentSpec(
            self.component, self.observation, self.actions, horizon=self.max_steps, copyable=False
        )

    def build(self) -> LiveWorlds:
        import gymnasium

        from workbench.environments.live.gym import gym_worlds

        def make() -> gymnasium.Env[object, object]:
            return gymnasium.make(
                self.id, max_episode_steps=self.max_steps, disable_env_checker=True
            )

        return gym_worlds(self.spec(), make, self.discount, self.scale)
