"""Atari games of the Arcade Learning Environment (ALE)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import Field
from typing_extensions import override

from workbench import extras
from workbench.components import Count, EnvironmentConfig, Fraction, Incompatible, Positive
from workbench.errors import did_you_mean
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.environments.forward_only.simulator_environment import SimulatorEnvironment


@register("environment", "atari")
class Atari(EnvironmentConfig):
    """An Atari game (ALE): stacked grey 84x84 frames (Machado et al. 2018)."""

    game: str = Field("breakout", description="ALE name of the game, such as breakout or ms_pacman")
    frame_skip: Positive = Field(4, description="frames per step; the last two are max-pooled")
    stack: Count = Field(4, description="number of stacked frames, oldest first")
    sticky: Fraction = Field(
        0.25, description="probability that a frame repeats the previous action (sticky actions)"
    )
    all_actions: bool = Field(
        False, description="use all 18 actions instead of the game's minimal set"
    )
    life_is_episode: bool = Field(
        False, description="whether losing a life ends the episode; in training only"
    )
    clip_rewards: bool = Field(
        False, description="whether rewards are replaced by their sign; in training only"
    )
    max_steps: Positive = Field(
        27_000, description="maximum number of steps per episode; longer ones are truncated"
    )

    @override
    def spec(self) -> EnvironmentSpec:
        who = "environment 'atari'"
        for package in ("gymnasium", "ale_py", "cv2"):
            extras.require(who, package, "atari")
        return EnvironmentSpec(
            f"atari:{self.game}",
            (self.stack, 84, 84),
            18 if self.all_actions else _minimal_action_count(self.game),
            horizon=self.max_steps,
            cloneable=False,
        )

    @override
    def build(self) -> SimulatorEnvironment:
        from workbench.environments.forward_only.simulator_environment import (
            SimulatorEnvironment,
        )

        return SimulatorEnvironment(self.spec(), self._simulator, self.discount)

    @override
    def evaluation_config(self) -> Atari:
        return self.model_copy(update={"life_is_episode": False, "clip_rewards": False})

    def _simulator(self) -> Any:
        import ale_py
        import gymnasium
        import numpy as np
        from gymnasium import wrappers

        from workbench.environments.forward_only.gymnasium_simulator import GymnasiumSimulator

        gymnasium.register_envs(ale_py)
        environment: Any = gymnasium.make(
            "ALE/" + _ale_name(self.game) + "-v5",
            frameskip=1,
            repeat_action_probability=self.sticky,
            full_action_space=self.all_actions,
            max_num_frames_per_episode=None,
            disable_env_checker=True,
        )
        environment = wrappers.AtariPreprocessing(
            environment, frame_skip=self.frame_skip, terminal_on_life_loss=self.life_is_episode
        )
        if self.clip_rewards:
            environment = wrappers.TransformReward(
                environment, lambda reward: np.sign(float(reward))
            )
        environment = wrappers.FrameStackObservation(environment, self.stack, padding_type="zero")
        environment = wrappers.TimeLimit(environment, self.max_steps)
        return GymnasiumSimulator(environment, lambda frames: np.asarray(frames, np.uint8))


def _ale_name(game: str) -> str:
    return "".join(word.capitalize() for word in game.split("_"))


@cache
def _minimal_action_count(game: str) -> int:
    """Return the size of the game's minimal action set.

    Raises:
        Incompatible: ALE has no such game.
    """
    import ale_py
    from ale_py import roms

    known = roms.get_all_rom_ids()
    if game not in known:
        raise Incompatible(f"ALE has no game '{game}'{did_you_mean(game, known)}")
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    emulator = ale_py.ALEInterface()
    path = roms.get_rom_path(game)
    assert path is not None  # the game exists
    emulator.loadROM(path)
    return len(emulator.getMinimalActionSet())
