"""A pole on a cart (Barto, Sutton and Anderson 1983), with the numbers of Gymnasium CartPole-v1.

A world is four numbers: the cart's place [m] and speed [m/s], the pole's angle from upright [rad]
and its speed [rad/s].
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from workbench.environments.control.control_environment import Numbers, Physics

GRAVITY, CART, POLE, HALF_LENGTH = 9.8, 1.0, 0.1, 0.5
MASS, MOMENT = POLE + CART, POLE * HALF_LENGTH
FORCE, SECONDS = 10.0, 0.02
PLACE, ANGLE = 2.4, 12 * 2 * math.pi / 360
"""Beyond these the episode has ended."""


def _begin(uniform: Numbers) -> Numbers:
    return 0.1 * uniform - 0.05


@njit(cache=True)
def _step(
    state: Numbers, action: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Euler's method, as Gymnasium writes it, to the last bit where the sine is the same."""
    reward, ended = np.zeros(len(action), np.float32), np.ones(len(action), np.bool_)
    for row in range(len(action)):
        x, speed, angle, turning = state[row, 0], state[row, 1], state[row, 2], state[row, 3]
        if abs(x) > PLACE or abs(angle) > ANGLE:
            continue
        force = FORCE if action[row] == 1 else -FORCE
        cosine, sine = math.cos(angle), math.sin(angle)
        pushed = (force + MOMENT * (turning * turning) * sine) / MASS
        turned = (GRAVITY * sine - cosine * pushed) / (
            HALF_LENGTH * (4.0 / 3.0 - POLE * (cosine * cosine) / MASS)
        )
        moved = pushed - MOMENT * turned * cosine / MASS
        x, speed = x + SECONDS * speed, speed + SECONDS * moved
        angle, turning = angle + SECONDS * turning, turning + SECONDS * turned
        state[row, 0], state[row, 1], state[row, 2], state[row, 3] = x, speed, angle, turning
        state[row, 4] += 1
        reward[row], ended[row] = 1.0, abs(x) > PLACE or abs(angle) > ANGLE
    return reward, ended


def _show(numbers: Numbers) -> Numbers:
    return numbers


PHYSICS = Physics(_begin, _step, _show, numbers=4)
