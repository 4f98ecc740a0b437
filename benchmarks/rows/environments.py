"""Steps per second of every environment with random play, compared with its engine alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import torch
from torch import Generator

from benchmarks.measurement import Effort, Figure
from benchmarks.timing import time_alternately
from workbench import registry
from workbench.components import EnvironmentConfig, Incompatible
from workbench.types import Environment, tree_map

BATCH, STEPS = 128, 50

Play = Callable[[int], None]
"""Plays a number of random steps in one environment at a time, with its observations."""


def spiel(game: str, steps: int) -> None:
    """OpenSpiel's own state: legal moves, a move, OpenSpiel's observation."""
    import pyspiel

    draw, rules = random.Random(0), pyspiel.load_game(game)
    state = rules.new_initial_state()
    for _ in range(steps):
        state.apply_action(draw.choice(state.legal_actions()))
        state.observation_tensor(0)
        if state.is_terminal():
            state = rules.new_initial_state()


def gym(name: str, steps: int) -> None:
    """One environment of Gymnasium."""
    import gymnasium

    draw, environment = random.Random(0), gymnasium.make(name, disable_env_checker=True)
    environment.reset(seed=0)
    count = int(environment.action_space.n)  # type: ignore[attr-defined]
    for _ in range(steps):
        _, _, terminated, truncated, _ = environment.step(draw.randrange(count))
        if terminated or truncated:
            environment.reset()
    environment.close()


def minatar(game: str, steps: int) -> None:
    """One game of MinAtar."""
    from minatar import Environment as Game

    draw, environment = random.Random(0), Game(game)
    actions = environment.minimal_action_set()
    environment.reset()
    for _ in range(steps):
        _, terminated = environment.act(draw.choice(actions))
        environment.state()
        if terminated:
            environment.reset()


def atari(game: str, steps: int) -> None:
    """One game of ALE in grey, four frames per step, at full size."""
    import ale_py
    import gymnasium

    gymnasium.register_envs(ale_py)
    draw = random.Random(0)
    environment = gymnasium.make(f"ALE/{game}-v5", obs_type="grayscale", disable_env_checker=True)
    environment.reset(seed=0)
    count = int(environment.action_space.n)  # type: ignore[attr-defined]
    for _ in range(steps):
        _, _, terminated, truncated, _ = environment.step(draw.randrange(count))
        if terminated or truncated:
            environment.reset()
    environment.close()


ENGINES: dict[str, tuple[str, Play]] = {
    "acrobot": ("gymnasium", partial(gym, "Acrobot-v1")),
    "atari": ("ale", partial(atari, "Breakout")),
    "breakthrough": ("pyspiel", partial(spiel, "breakthrough(rows=6,columns=6)")),
    "cartpole": ("gymnasium", partial(gym, "CartPole-v1")),
    "connect_four": ("pyspiel", partial(spiel, "connect_four")),
    "gomoku": ("pyspiel", partial(spiel, "mnk(m=9,n=9,k=5)")),
    "gymnasium": ("gymnasium", partial(gym, "CartPole-v1")),
    "hex": ("pyspiel", partial(spiel, "hex(board_size=5,plain_obs_tensor=True)")),
    "lunar_lander": ("gymnasium", partial(gym, "LunarLander-v3")),
    "minatar": ("minatar", partial(minatar, "breakout")),
    "mountain_car": ("gymnasium", partial(gym, "MountainCar-v0")),
    "openspiel": ("pyspiel", partial(spiel, "clobber")),
    "othello": ("pyspiel", partial(spiel, "othello")),
    "tic_tac_toe": ("pyspiel", partial(spiel, "tic_tac_toe")),
}
"""Engine of a component's default environment, and random play in it."""

SLOW = {"atari", "lunar_lander"}
"""Environments with fewer steps per timing, because one step already takes long enough."""


def measure(effort: Effort) -> Iterator[Figure]:
    """Measure environments with default options; a component without its packages is skipped."""
    for name, component in registry.components("environment").items():
        if name in ENGINES and (name == "tic_tac_toe" or not effort.quick):
            config = component()
            if isinstance(config, EnvironmentConfig) and _installed(config):
                yield _figure(name, config, effort)


def _installed(config: EnvironmentConfig) -> bool:
    try:
        config.spec()
    except Incompatible:
        return False
    return find_spec("Box2D") is not None if config.component == "lunar_lander" else True


def _figure(name: str, config: EnvironmentConfig, effort: Effort) -> Figure:
    steps = STEPS // 10 if name in SLOW or effort.quick else STEPS
    engine, play = ENGINES[name]
    walk = _Walk(config.build())
    pairs = time_alternately(partial(walk, steps), partial(play, BATCH * steps), effort.repeats)
    case: dict[str, str | int] = {"environment": name, "B": BATCH}
    return pairs.figure("environments", case, engine, BATCH * steps, "steps/s")


class _Walk:
    """Random play in a batch of environments; a new episode replaces one that ends."""

    def __init__(self, environment: Environment) -> None:
        self._environment, self._generator = environment, Generator().manual_seed(0)
        self._state = environment.reset(BATCH, self._generator)

    def __call__(self, steps: int) -> None:
        environment, generator = self._environment, self._generator
        for _ in range(steps):
            legal = environment.legal(self._state).float()
            action = torch.multinomial(legal, 1, generator=generator)[:, 0]
            state, transition = environment.step(self._state, action, generator)
            environment.observe(state)
            ended = (transition.terminated | transition.truncated).nonzero().flatten()
            if len(ended):
                fresh = environment.reset(len(ended), generator)
                state = tree_map(
                    lambda old, new, at=ended: old.index_copy(0, at, new), state, fresh
                )
            self._state = state
