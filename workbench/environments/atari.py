"""Atari games by the Arcade Learning Environment."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import Field

from workbench import extras
from workbench.components import EnvironmentConfig, Fraction, Misfit, Positive
from workbench.errors import nearest
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.environments.forward_only.forward_only_environment import LiveWorlds


@register("environment", "atari")
class Atari(EnvironmentConfig):
    """An Atari game by ALE: grey frames of 84x84, the last few stacked (Machado et al. 2018)."""

    game: str = Field("breakout", description="the game, in ALE's spelling: breakout, ms_pacman")
    frame_skip: Positive = Field(4, description="frames that an action lasts; two are merged")
    stack: Positive = Field(4, description="last frames shown, oldest first")
    sticky: Fraction = Field(
        0.25, description="probability that a frame repeats the last action instead"
    )
    all_actions: bool = Field(False, description="offer all 18 actions, not only the game's own")
    life_is_episode: bool = Field(
        False, description="whether in training losing a life ends the episode"
    )
    clip_rewards: bool = Field(
        False, description="whether in training only the sign of a reward counts"
    )
    max_steps: Positive = Field(27_000, description="an episode is cut after so many steps")

    def spec(self) -> EnvironmentSpec:
        who = "environment 'atari'"
        for package in ("gymnasium", "ale_py", "cv2"):
            extras.require(who, package, "atari")
        return EnvironmentSpec(
            f"atari:{self.game}",
            (self.stack, 84, 84),
            18 if self.all_actions else _own_actions(self.game),
            horizon=self.max_steps,
            copyable=False,
        )

    def build(self) -> LiveWorlds:
        from workbench.environments.forward_only.forward_only_environment import LiveWorlds

        return LiveWorlds(self.spec(), self._simulator, self.discount)

    def unshaped(self) -> Atari:
        return self.model_copy(update={"life_is_episode": False, "clip_rewards": False})

    def _simulator(self) -> Any:
        import ale_py
        import gymnasium
        import numpy as np
        from gymnasium import wrappers

        from workbench.environments.forward_only.gymnasium_simulator import GymSimulator

        gymnasium.register_envs(ale_py)
        world: Any = gymnasium.make(
            "ALE/" + _title(self.game) + "-v5",
            frameskip=1,
            repeat_action_probability=self.sticky,
            full_action_space=self.all_actions,
            max_num_frames_per_episode=None,
            disable_env_checker=True,
        )
        world = wrappers.AtariPreprocessing(
            world, frame_skip=self.frame_skip, terminal_on_life_loss=self.life_is_episode
        )
        if self.clip_rewards:
            world = wrappers.TransformReward(world, lambda reward: np.sign(float(reward)))
        world = wrappers.FrameStackObservation(world, self.stack, padding_type="zero")
        world = wrappers.TimeLimit(world, self.max_steps)
        return GymSimulator(world, lambda frames: np.asarray(frames, np.uint8))


def _title(game: str) -> str:
    return "".join(word.capitalize() for word in game.split("_"))


@cache
def _own_actions(game: str) -> int:
    """How many actions the game itself knows. Raises Misfit where there is no such game."""
    import ale_py
    from ale_py import roms

    known = roms.get_all_rom_ids()
    if game not in known:
        raise Misfit(f"ALE has no game '{game}'{nearest(game, known)}")
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    machine = ale_py.ALEInterface()
    path = roms.get_rom_path(game)
    assert path is not None  # the game is known
    machine.loadROM(path)
    return len(machine.getMinimalActionSet())
