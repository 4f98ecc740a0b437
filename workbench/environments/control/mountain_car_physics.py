"""A weak car in a valley (Moore 1990), with the numbers of Gymnasium MountainCar-v0.

A world is two numbers: the car's place and its speed, a step being the unit of time.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from workbench.environments.control.control_environment import Numbers, Physics

FORCE, GRAVITY = 0.001, 0.0025
LEFT, RIGHT, FASTEST = -1.2, 0.6, 0.07
GOAL = 0.5
"""Where the episode has ended, if the car does not roll back."""


def _begin(uniform: Numbers) -> Numbers:
    return np.stack([-0.6 + 0.2 * uniform[:, 0], np.zeros(len(uniform))], 1)


@njit(cache=True)
def _step(
    state: Numbers, action: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    reward, ended = np.zeros(len(action), np.float32), np.ones(len(action), np.bool_)
    for row in range(len(action)):
        place, speed = state[row, 0], state[row, 1]
        if place >= GOAL and speed >= 0:
            continue
        speed += (action[row] - 1) * FORCE + math.cos(3 * place) * (-GRAVITY)
        speed = min(max(speed, -FASTEST), FASTEST)
        place = min(max(place + speed, LEFT), RIGHT)
        if place == LEFT and speed < 0:
            speed = 0.0
        state[row, 0], state[row, 1] = place, speed
        state[row, 2] += 1
        reward[row], ended[row] = -1.0, place >= GOAL and speed >= 0
    return reward, ended


def _show(numbers: Numbers) -> Numbers:
    return numbers


PHYSICS = Physics(_begin, _step, _show, numbers=2)
