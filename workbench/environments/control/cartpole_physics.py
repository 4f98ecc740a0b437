"""A pole on a cart (Barto, Sutton and Anderson 1983), with the constants of Gymnasium CartPole-v1.

State variables: position [m] and velocity [m/s] of the cart, angle of the pole from upright [rad]
and angular velocity [rad/s].
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from workbench.environments.control.control_environment import Float64Array, Physics

GRAVITY, CART_MASS, POLE_MASS, HALF_LENGTH = 9.8, 1.0, 0.1, 0.5
TOTAL_MASS, POLE_MOMENT = POLE_MASS + CART_MASS, POLE_MASS * HALF_LENGTH
FORCE, TIME_STEP = 10.0, 0.02
MAX_POSITION, MAX_ANGLE = 2.4, 12 * 2 * math.pi / 360
"""The episode ends beyond these absolute values."""


def _initial_state(uniform: Float64Array) -> Float64Array:
    return 0.1 * uniform - 0.05


@njit(cache=True)
def _step(
    state: Float64Array, action: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Integrate one time step with Euler's method, with Gymnasium's order of operations.

    The result equals Gymnasium's bit for bit if both libraries compute the same sine.
    """
    reward, terminated = np.zeros(len(action), np.float32), np.ones(len(action), np.bool_)
    for row in range(len(action)):
        x, velocity = state[row, 0], state[row, 1]
        angle, angular_velocity = state[row, 2], state[row, 3]
        if abs(x) > MAX_POSITION or abs(angle) > MAX_ANGLE:
            continue
        force = FORCE if action[row] == 1 else -FORCE
        cosine, sine = math.cos(angle), math.sin(angle)
        push = (force + POLE_MOMENT * (angular_velocity * angular_velocity) * sine) / TOTAL_MASS
        angular_acceleration = (GRAVITY * sine - cosine * push) / (
            HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * (cosine * cosine) / TOTAL_MASS)
        )
        acceleration = push - POLE_MOMENT * angular_acceleration * cosine / TOTAL_MASS
        x, velocity = x + TIME_STEP * velocity, velocity + TIME_STEP * acceleration
        angle = angle + TIME_STEP * angular_velocity
        angular_velocity = angular_velocity + TIME_STEP * angular_acceleration
        state[row, 0], state[row, 1] = x, velocity
        state[row, 2], state[row, 3] = angle, angular_velocity
        state[row, 4] += 1
        reward[row], terminated[row] = 1.0, abs(x) > MAX_POSITION or abs(angle) > MAX_ANGLE
    return reward, terminated


def _observe(state: Float64Array) -> Float64Array:
    return state


PHYSICS = Physics(_initial_state, _step, _observe, state_size=4)
