"""A weak car in a valley (Moore 1990), with the constants of Gymnasium MountainCar-v0.

State variables: position and velocity of the car; the unit of time is one step.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from workbench.environments.control.control_environment import Float64Array, Physics

FORCE, GRAVITY = 0.001, 0.0025
MIN_POSITION, MAX_POSITION, MAX_SPEED = -1.2, 0.6, 0.07
GOAL = 0.5
"""Position at which the episode ends, unless the car rolls back."""


def _initial_state(uniform: Float64Array) -> Float64Array:
    return np.stack([-0.6 + 0.2 * uniform[:, 0], np.zeros(len(uniform))], 1)


@njit(cache=True)
def _step(
    state: Float64Array, action: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    reward, terminated = np.zeros(len(action), np.float32), np.ones(len(action), np.bool_)
    for row in range(len(action)):
        position, velocity = state[row, 0], state[row, 1]
        if position >= GOAL and velocity >= 0:
            continue
        velocity += (action[row] - 1) * FORCE + math.cos(3 * position) * (-GRAVITY)
        velocity = min(max(velocity, -MAX_SPEED), MAX_SPEED)
        position = min(max(position + velocity, MIN_POSITION), MAX_POSITION)
        if position == MIN_POSITION and velocity < 0:
            velocity = 0.0
        state[row, 0], state[row, 1] = position, velocity
        state[row, 2] += 1
        reward[row], terminated[row] = -1.0, position >= GOAL and velocity >= 0
    return reward, terminated


def _observe(state: Float64Array) -> Float64Array:
    return state


PHYSICS = Physics(_initial_state, _step, _observe, state_size=2)
